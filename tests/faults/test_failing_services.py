"""Redis without a memory, messages too many, and Postgres away."""

from __future__ import annotations

import time

import pytest
from faults import history
from faults.sizes import Sizes
from faults.world import Load, Report, World, now_ms

from maskpool.domain import ChunkMessage, ChunkState, Klass
from producer.dispatch.broker import Broker


def test_redis_forgets_everything(world: World, load: Load, sizes: Sizes, report: Report) -> None:
    """kill -9 Redis, or FLUSHALL."""
    began, faults = now_ms(), []
    while report.injected < sizes.broker_faults or load.jobs < sizes.other_jobs:
        # Bulk chunks never wait in Redis, the window sees to that; interactive ones do.
        load.keep_up(block=40, blocks=10, klass=Klass.NOW)
        time.sleep(world.rng.uniform(0.2, 1.0))
        lost = now_ms()
        if report.injected % 2:
            world.flush_redis()
        else:
            world.restart_redis(world.rng.uniform(0.0, 1.0))
        faults.append((lost, now_ms()))
        report.injected += 1
    load.await_end()
    world.check(report, load.batch_ids)
    told = history.steps(world.database, began)
    report.recovery = history.until_taken(told, faults)
    report.note = f"{len(report.recovery)} chunks lost their message"
    assert report.failed == 0
    assert report.recovery, "no message waited in Redis when it forgot"


@pytest.mark.usefixtures("at_full_size_or_team")
def test_every_message_comes_three_times(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """Each message delivered three times."""
    began = now_ms()
    publisher = Broker(world.redis.url)
    copied: dict[ChunkMessage, int] = {}
    try:
        while load.jobs < sizes.other_jobs or any(
            world.progress(one).remaining for one in load.batch_ids
        ):
            if load.jobs < sizes.other_jobs:
                load.keep_up()
            for step in history.steps(world.database, began):
                if step.state == ChunkState.QUEUED:
                    message = ChunkMessage(
                        step.batch_id, step.chunk_id, "demo", Klass.BULK, step.size, step.solo
                    )
                    copied.setdefault(message, 0)
            for message, copies in copied.items():
                if copies < 2:  # the second one a round later: the chunk may be done by then
                    publisher.publish([message])
                    copied[message] += 1
                    report.injected += 1
            time.sleep(0.1)
    finally:
        publisher.close()
    load.await_end()
    jobs = world.check(report, load.batch_ids)
    report.note = f"{len(copied)} chunks"
    assert report.failed == 0
    assert {(job.attempts, job.losses, job.solo) for job in jobs} == {(0, 0, False)}


def test_postgres_goes_away(world: World, load: Load, sizes: Sizes, report: Report) -> None:
    """Postgres stopped at once and started again."""
    if world.postgres is None:
        pytest.skip("SQLite has no server to stop")
    spent, deaths = 0.0, sum(len(member.own_deaths) for member in world.members)
    while report.injected < sizes.outages:
        load.keep_up()
        time.sleep(world.rng.uniform(0.2, 1.0))
        before = sum(member.cpu_seconds() for member in world.members)
        world.stop_postgres()
        time.sleep(sizes.outage_seconds)
        spent += sum(member.cpu_seconds() for member in world.members) - before
        world.start_postgres()
        back = now_ms()
        report.injected += 1
        world.until(
            lambda at=back: history.first_end_after(world.database, at),
            seconds=60,
            what="work after the outage",
        )
        report.recovery.append((history.first_end_after(world.database, back) - back) / 1000)
    load.await_end()
    jobs = world.check(report, load.batch_ids)
    busy = spent / (sizes.outages * sizes.outage_seconds * len(world.members))
    report.note = f"{busy:.0%} of a core a process while away"
    assert report.failed == 0
    assert {(job.attempts, job.losses) for job in jobs} == {(0, 0)}, "nobody's fault was charged"
    assert sum(len(member.own_deaths) for member in world.members) == deaths, "a crash"
    assert busy < 0.3

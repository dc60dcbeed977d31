"""kill -9, SIGSTOP and SIGTERM of workers and dispatcher, at random moments under load."""

from __future__ import annotations

import re
import signal
import time

import pytest
from faults import history
from faults.sizes import IS_FULL, Sizes
from faults.world import HEARTBEAT_SECONDS, LEASE_SECONDS, Load, Report, World, now_ms

from maskpool.domain import MAX_LOSSES, ChunkState, JobState

#: What a machine with other things to do adds to the lease and the dispatcher's next look.
SLACK_SECONDS = 3.0


def test_workers_are_killed(world: World, load: Load, sizes: Sizes, report: Report) -> None:
    """kill -9 a worker."""
    began, killed = now_ms(), []
    # Twenty-five minutes are short: half as many on SQLite, where one code does the same.
    kills, jobs = sizes.kills, sizes.jobs
    if world.profile == "embedded":
        kills, jobs = kills // 2, jobs // 2
    while report.injected < kills or load.jobs < jobs:
        load.keep_up()
        time.sleep(world.rng.uniform(0.0, 1.4))
        worker = world.rng.choice(world.workers)
        worker_id, at = world.id_of(worker), now_ms()
        worker.kill()
        report.injected += 1
        if worker_id is not None:
            killed.append((worker_id, at))
    load.await_end()
    ended = world.check(report, load.batch_ids)
    told = history.steps(world.database, began)
    report.recovery = history.until_expired(told, killed)
    in_tiles = sum(
        step.state == ChunkState.EXPIRED and step.batch_id in world.tiled for step in told
    )
    report.note = (
        f"{len(report.recovery)} chunks lost, {in_tiles} in tiles, "
        f"at most {max(job.losses for job in ended)} losses of a job, "
        f"waited {history.longest_wait(told):.1f} s for a worker"
    )
    assert report.failed == 0, "an innocent was failed"
    assert report.recovery, "no kill met a chunk in work"
    assert in_tiles or not IS_FULL, "no kill met an image in tiles"
    assert max(report.recovery) < LEASE_SECONDS + SLACK_SECONDS


@pytest.mark.usefixtures("at_full_size_or_team")
def test_the_dispatcher_is_killed(world: World, load: Load, sizes: Sizes, report: Report) -> None:
    """kill -9 the dispatcher."""
    began, killed = now_ms(), []
    while report.injected < sizes.dispatcher_kills or load.jobs < sizes.other_jobs:
        load.keep_up()
        # At work, or – every fourth time – as soon after its start as it happens to be.
        if killed and report.injected % 4:
            world.until(lambda: _claims_again(world, load, killed[-1]), seconds=60, what="a claim")
        time.sleep(world.rng.uniform(0.0, 1.0))
        killed.append(now_ms())
        world.dispatcher.kill()
        report.injected += 1
    load.await_end()
    world.check(report, load.batch_ids)
    told = history.steps(world.database, began)
    report.recovery = history.until_claimed(told, killed)
    assert report.failed == 0
    assert report.recovery


def _claims_again(world: World, load: Load, killed_ms: int) -> bool:
    load.keep_up()
    return history.claims_since(world.database, killed_ms)


def test_a_frozen_worker_wakes_as_a_zombie(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """SIGSTOP a worker past its lease, then SIGCONT."""
    began, stopped = now_ms(), []
    while report.injected < sizes.stops or load.jobs < sizes.other_jobs:
        load.keep_up()
        worker = world.rng.choice(world.workers)
        world.until(lambda one=worker: world.is_at_work(one), seconds=60, what="a chunk in work")
        worker_id = world.id_of(worker)
        worker.send(signal.SIGSTOP)
        stopped.append((worker_id, now_ms()))
        report.injected += 1
        # Long enough for others to do what it held, however soon the chunk was given back.
        time.sleep(LEASE_SECONDS + 1.0)
        worker.send(signal.SIGCONT)
        time.sleep(2 * HEARTBEAT_SECONDS)
    load.await_end()
    world.check(report, load.batch_ids)
    report.recovery = history.until_expired(history.steps(world.database, began), stopped)
    assert report.failed == 0
    assert report.recovery, "no stop met a chunk in work"
    dropped = re.compile(r"dropped: (the lease of )?chunk")
    assert any(dropped.search(one.log.read_text()) for one in world.workers)


def test_poison_costs_only_itself(world: World, sizes: Sizes, report: Report) -> None:
    """An image that kills its worker."""
    count = 20 * sizes.poisons
    poison = set(world.rng.sample(range(count), sizes.poisons))
    batch = world.submit(count, poison)
    world.await_end([batch], 120 * sizes.poisons)
    jobs = {job.seq: job for job in world.check(report, [batch])}
    report.injected = sum(job.losses for job in jobs.values())
    failed = {seq for seq, job in jobs.items() if job.state == JobState.FAILED}
    assert failed == poison
    assert {jobs[seq].losses for seq in poison} == {MAX_LOSSES}
    assert all("the worker died" in (jobs[seq].error or "") for seq in poison)
    innocent = [job for seq, job in jobs.items() if seq not in poison]
    assert {(job.losses, job.attempts) for job in innocent} == {(0, 0)}


@pytest.mark.usefixtures("at_full_size_or_team")
def test_a_rolling_restart_charges_nobody(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """SIGTERM every worker, one after the other."""
    began, drained = now_ms(), []
    for _ in range(sizes.rolls):
        for worker in world.workers:
            load.keep_up()
            world.until(lambda one=worker: world.is_at_work(one), seconds=60, what="work in hand")
            asked = time.monotonic()
            worker.send(signal.SIGTERM)
            assert worker.wait() == 0
            drained.append(time.monotonic() - asked)
            worker.start()
            report.injected += 1
    load.await_end()
    jobs = world.check(report, load.batch_ids)
    waited = history.longest_wait(history.steps(world.database, began))
    report.note = f"drained in {max(drained):.1f} s, waited {waited:.1f} s for a worker"
    assert report.failed == 0
    assert {(job.attempts, job.losses, job.solo) for job in jobs} == {(0, 0, False)}

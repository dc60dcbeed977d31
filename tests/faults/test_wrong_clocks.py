"""Workers and a dispatcher whose clocks are wrong by more than an hour, in either direction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import history
from faults.conftest import built_world
from faults.sizes import Sizes
from faults.world import HEARTBEAT_SECONDS, LEASE_SECONDS, Load, Report, World, now_ms
from sqlalchemy import select

from db.models import WorkerRow
from maskpool.domain import ChunkState

#: More than the hour after which Redis redelivers what was not acknowledged.
WRONG_SECONDS = 3_660

SLACK_SECONDS = 3.0


@pytest.fixture(scope="module")
def world(team_unless_full: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """In place of the shared one: a worker ahead, one behind, one right; a dispatcher behind."""
    folder = tmp_path_factory.mktemp(f"clocks-{team_unless_full}")
    with built_world(team_unless_full, folder, worker_script="skewed_worker.py") as one:
        one.dispatcher.script = "skewed_dispatcher.py"
        wrong = (WRONG_SECONDS, -WRONG_SECONDS, 0)
        for member, seconds in zip(one.workers, wrong, strict=True):
            member.environment["FAULTS_CLOCK_SECONDS"] = str(seconds)
        one.dispatcher.environment["FAULTS_CLOCK_SECONDS"] = str(-WRONG_SECONDS)
        one.start()
        yield one


def test_clocks_are_wrong_by_an_hour(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """Workers' clocks 61 minutes ahead and behind."""
    began = now_ms()
    while load.jobs < sizes.other_jobs:
        load.keep_up()
        time.sleep(HEARTBEAT_SECONDS)
        _assert_seen_now(world)
    report.injected = sum("FAULTS_CLOCK_SECONDS" in one.environment for one in world.members) - 1
    load.await_end()
    jobs = world.check(report, load.batch_ids)
    told = history.steps(world.database, began)
    assert {step.state for step in told} == {
        ChunkState.QUEUED,
        ChunkState.RUNNING,
        ChunkState.DONE,
    }, "a lease ended early"
    at_work = {step.worker for step in told if step.state == ChunkState.DONE}
    assert at_work == {world.id_of(one) for one in world.workers}, "one did nothing"
    assert report.failed == 0
    assert {(job.attempts, job.losses, job.solo) for job in jobs} == {(0, 0, False)}
    assert _really_wrong(world), "the clocks were right"


def test_workers_with_wrong_clocks_are_killed(
    world: World, load: Load, sizes: Sizes, report: Report
) -> None:
    """kill -9 a worker whose clock is 61 minutes off."""
    began, killed = now_ms(), []
    while report.injected < sizes.clock_kills:
        load.keep_up()
        worker = world.workers[report.injected % 2]
        world.until(lambda one=worker: world.is_at_work(one), seconds=60, what="a chunk in work")
        killed.append((world.id_of(worker), now_ms()))
        worker.kill()
        report.injected += 1
    load.await_end()
    world.check(report, load.batch_ids)
    report.recovery = history.until_expired(history.steps(world.database, began), killed)
    assert report.failed == 0
    assert report.recovery, "no kill met a chunk in work"
    assert max(report.recovery) < LEASE_SECONDS + SLACK_SECONDS


def _assert_seen_now(world: World) -> None:
    """The workers' rows are written by the database's clock."""
    with world.database.read() as session:
        seen = list(session.scalars(select(WorkerRow.seen_at)))
    assert len(seen) >= world.worker_count
    assert all(abs(now_ms() - at) < 60_000 for at in seen)


def _really_wrong(world: World) -> bool:
    """What the workers' logs say of the time."""
    hours = {_first_time(one.log) for one in world.workers}
    return len(hours) == world.worker_count


def _first_time(log: Path) -> str:
    """Day and hour of the first line that has them."""
    lines = log.read_text(errors="replace").splitlines()
    return next(line[:13] for line in lines if line.startswith("20") and " INFO " in line)

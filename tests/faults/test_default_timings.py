"""Recovery, pause and cancel at the times that are the defaults: nothing here is sped up."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from faults import history
from faults.conftest import built_world
from faults.scripts.slow_worker import MICRO_BATCH_SECONDS
from faults.sizes import IS_FULL
from faults.test_cancel_and_pause import cancel_under_work, check_cancelled, pause_often
from faults.world import Load, Report, World, now_ms

from maskpool.domain import ChunkState
from maskpool.settings import Settings

pytestmark = pytest.mark.alone

LEASE_SECONDS: float = Settings.model_fields["lease_seconds"].default
HEARTBEAT_SECONDS: float = Settings.model_fields["heartbeat_seconds"].default

#: The promise, beside the lease.
REAP_SECONDS = 5.0

#: Killed one after the other, at different moments of their leases.
KILLS = 4


@pytest.fixture(scope="module", params=["team"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """In place of the shared one: production's dispatcher and settings, a model that is slow."""
    if not IS_FULL:
        pytest.skip("leases of 30 s take their time: in `make faults` only")
    folder = tmp_path_factory.mktemp(f"defaults-{request.param}")
    told = {
        "MASKPOOL_LEASE_SECONDS": str(LEASE_SECONDS),
        "MASKPOOL_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
    }
    with built_world(
        request.param, folder, told=told, worker_count=KILLS, worker_script="slow_worker.py"
    ) as one:
        one.dispatcher.script = "plain_dispatcher.py"
        one.start()
        yield one


def test_recovery_at_the_defaults(world: World, load: Load, report: Report) -> None:
    """kill -9 a worker, leases of 30 s."""
    began, killed = now_ms(), []
    for worker in world.workers:
        load.keep_up(block=100, blocks=1)
        world.until(lambda one=worker: world.is_at_work(one), seconds=60, what="a chunk in work")
        time.sleep(world.rng.uniform(0.0, HEARTBEAT_SECONDS))
        killed.append((world.id_of(worker), now_ms()))
        worker.kill()
        report.injected += 1
    load.await_end(180)
    world.check(report, load.batch_ids)
    told = history.steps(world.database, began)
    expired = history.until_expired(told, killed)
    report.recovery = _until_claimed_again(told, killed)
    report.note = f"{len(expired)} chunks, back after {max(expired):.1f} s at most"
    assert report.failed == 0
    assert len(expired) >= KILLS, "not every kill met a chunk in work"
    assert min(expired) > LEASE_SECONDS - 2 * HEARTBEAT_SECONDS, "a lease ended early"
    assert max(report.recovery) < LEASE_SECONDS + REAP_SECONDS


def test_pause_and_cancel_at_the_defaults(world: World, report: Report) -> None:
    """Paused, then cancelled, heartbeats of 1 s."""
    mine, paused = pause_often(world, report, 5)
    world.await_end(mine, 180)
    cancelled = {}
    stopped = [cancel_under_work(world, world.submit(100), cancelled)]
    report.injected += 1
    check_cancelled(world, report, cancelled)
    report.recovery = [*paused, *stopped]
    assert max(report.recovery) < 2.0 + MICRO_BATCH_SECONDS


def _until_claimed_again(told: list[history.Step], killed: list[tuple[object, int]]) -> list[float]:
    """Seconds from each kill until the first job that its worker held was claimed again, alone."""
    seconds = []
    for worker, at in killed:
        lost = [one for one in told if one.worker == worker and one.state == ChunkState.EXPIRED]
        for chunk in lost:
            again = [
                one.at_ms
                for one in told
                if one.state == ChunkState.QUEUED
                and one.solo
                and one.batch_id == chunk.batch_id
                and one.at_ms >= chunk.at_ms
            ]
            seconds += [(min(again) - at) / 1000]
    return seconds

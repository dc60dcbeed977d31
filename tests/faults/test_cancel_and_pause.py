"""Pause and cancel while chunks run: how soon workers stop, and that nothing counts afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

import pytest
from faults import history
from faults.conftest import built_world
from faults.scripts.slow_worker import IMAGE_SECONDS, MICRO_BATCH_SECONDS
from faults.sizes import Sizes
from faults.world import Report, World, now_ms
from sqlalchemy import select

from db import batches
from db.models import ChunkRow, JobRow
from maskpool.domain import BatchState, ChunkState, JobState
from maskpool.errors import Conflict

#: The promise: a worker hears of it within 2 s, and then ends the micro-batch that it has begun.
LIMIT_SECONDS = 2.0 + MICRO_BATCH_SECONDS

#: A worker's last word on a chunk, in its log.
_LAST_WORD = re.compile(r"^(\S+ \S+) INFO +workers\.tasks: chunk (\S+): (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def world(team_unless_full: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """In place of the shared one: its model is slow."""
    folder = tmp_path_factory.mktemp(f"commands-{team_unless_full}")
    with built_world(team_unless_full, folder, worker_script="slow_worker.py") as one:
        one.start()
        yield one


def test_pause_acts_soon(world: World, sizes: Sizes, report: Report) -> None:
    """Paused while chunks run, then resumed."""
    mine, recovery = pause_often(world, report, sizes.commands)
    world.await_end(mine, 240)
    jobs = world.check(report, mine)
    report.recovery = recovery
    assert report.failed == 0
    assert {(job.attempts, job.losses, job.solo) for job in jobs} == {(0, 0, False)}
    assert max(report.recovery) < LIMIT_SECONDS


def test_cancel_acts_soon(world: World, sizes: Sizes, report: Report) -> None:
    """Cancelled while chunks run."""
    cancelled = {}
    for _ in range(sizes.commands):
        batch = world.submit(100)
        report.recovery.append(cancel_under_work(world, batch, cancelled))
        report.injected += 1
    check_cancelled(world, report, cancelled)
    assert max(report.recovery) < LIMIT_SECONDS


def test_cancel_races_with_finish(world: World, sizes: Sizes, report: Report) -> None:
    """Cancelled in the moment of a finish."""
    cancelled, too_late = {}, 0
    for _ in range(2 * sizes.commands):
        batch = world.submit(2)
        until_running(world, batch, 1)
        time.sleep(world.rng.uniform(1.0, 2.5) * IMAGE_SECONDS)
        try:
            cancelled[batch] = _cancel(world, batch)
        except Conflict:
            too_late += 1
        report.injected += 1
    check_cancelled(world, report, cancelled)
    some = sum(bool(done) for done in cancelled.values())
    report.note = f"{too_late} were too late, {some} left results, {len(cancelled) - some} none"


def pause_often(world: World, report: Report, times: int) -> tuple[list[UUID], list[float]]:
    """Pause and resume; returns the batches, and seconds from each pause to its last chunk."""
    mine: list[UUID] = []
    seconds = []
    for _ in range(times):
        # What is in hand may end while paused, and a batch with it.
        if not mine or world.progress(mine[-1]).remaining < 70:
            mine.append(world.submit(130))
        batch = mine[-1]
        until_running(world, batch, 2)
        time.sleep(world.rng.uniform(0.0, MICRO_BATCH_SECONDS))
        with world.database.write() as session:
            batches.pause(session, batch)
        at = now_ms()
        world.until(lambda one=batch: not running(world, one), seconds=60, what="the chunks' end")
        closed = [
            step.at_ms
            for step in history.steps(world.database, at)
            if step.batch_id == batch and step.state == ChunkState.DONE
        ]
        seconds.append((max(closed, default=at) - at) / 1000)
        with world.database.write() as session:
            batches.resume(session, batch)
        report.injected += 1
    return mine, seconds


def cancel_under_work(
    world: World, batch: UUID, cancelled: dict[UUID, dict[int, str | None]]
) -> float:
    """Cancel a batch at work; returns seconds until the last worker let go of it."""
    until_running(world, batch, 2)
    time.sleep(world.rng.uniform(0.0, MICRO_BATCH_SECONDS))
    held = set(running(world, batch))
    cancelled[batch] = _cancel(world, batch)
    at = now_ms()
    world.until(lambda: held <= set(_last_words(world)), seconds=60, what="the workers' last word")
    words = _last_words(world)
    return max(0.0, max(words[chunk] for chunk in held) - at) / 1000


def _cancel(world: World, batch: UUID) -> dict[int, str | None]:
    """Cancel it; returns what was DONE when that was acknowledged."""
    with world.database.write() as session:
        batches.cancel(session, batch)
    return _done(world, batch)


def check_cancelled(
    world: World, report: Report, cancelled: dict[UUID, dict[int, str | None]]
) -> None:
    """Nothing was accepted behind a cancel, and the whole world is sound."""
    world.until(lambda: not _open_chunks(world), seconds=60, what="the fold of the last chunk")
    world.check(report, [])
    ended = history.times_ended(world.database, set(cancelled))
    report.jobs = sum(world.progress(one).total for one in cancelled)
    report.twice = sum(times > 1 for times in ended.values())
    report.lost = report.jobs - len(ended)
    assert (report.lost, report.twice) == (0, 0), report
    for batch, done in cancelled.items():
        assert world.progress(batch).state == BatchState.CANCELLED
        assert _done(world, batch) == done, "a result was accepted behind the cancel"
        assert world.progress(batch).done == len(done)


def until_running(world: World, batch: UUID, chunks: int) -> None:
    """Wait until a batch is in work."""
    world.until(lambda: len(running(world, batch)) >= chunks, seconds=60, what="chunks in work")


def running(world: World, batch: UUID) -> list[UUID]:
    """The chunks of a batch that workers hold."""
    return _chunks(world, ChunkRow.batch_id == batch, ChunkRow.state == ChunkState.RUNNING)


def _open_chunks(world: World) -> list[UUID]:
    return _chunks(world)


def _chunks(world: World, *which: object) -> list[UUID]:
    with world.database.read() as session:
        return list(session.scalars(select(ChunkRow.id).where(*which)))  # type: ignore[arg-type]


def _done(world: World, batch: UUID) -> dict[int, str | None]:
    with world.database.read() as session:
        found = session.execute(
            select(JobRow.seq, JobRow.masks_key).where(
                JobRow.batch_id == batch, JobRow.state == JobState.DONE
            )
        )
        return {seq: key for seq, key in found}  # noqa: C416 - rows are no pairs to mypy


def _last_words(world: World) -> dict[UUID, int]:
    """When each chunk was let go of, in milliseconds, by the workers' logs."""
    return {UUID(chunk): at for at, chunk, _ in _said(world)}


def _said(world: World) -> Iterable[tuple[int, str, str]]:
    for worker in world.workers:
        for at, chunk, word in _LAST_WORD.findall(worker.log.read_text(errors="replace")):
            moment = datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f").astimezone()
            yield round(moment.timestamp() * 1000), chunk, word

"""A device that is short of memory now and then, for one image always, or for the scoring."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults import scenes
from faults.conftest import built_world
from faults.sizes import Sizes
from faults.submitting import manifest, submit
from faults.world import SPEC, Report, World
from sqlalchemy import select

from db.models import JobRow
from maskpool.domain import MAX_ATTEMPTS, JobState

SCORED = SPEC.model_copy(update={"verify": True})

#: Until a micro-batch that was halved is doubled, each worker needs 64 of them.
ENOUGH_JOBS = 480


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with built_world(
        "embedded",
        tmp_path_factory.mktemp("faults-memory"),
        told={"SHORT_OF": "images,crops", "HURRY": "300"},
        worker_count=2,
        worker_script="short_worker.py",
    ) as world:
        scenes.draw_glutton(world.images)
        world.start()
        yield world


def test_short_memory_halves_the_micro_batch(world: World, sizes: Sizes, report: Report) -> None:
    """Out of memory with more than two images at once, every other time."""
    batch = world.submit(max(ENOUGH_JOBS, 5 * sizes.stored_jobs))
    world.await_end([batch], 120)

    jobs = world.check(report, [batch])
    report.injected = _lines(world, "out of memory with")
    doubled = _lines(world, "images at once again")
    report.note = f"{doubled} times doubled again"
    assert report.injected > 0
    assert doubled > 0
    assert report.failed == 0
    assert {(job.attempts, job.losses) for job in jobs} == {(0, 0)}, "charged for the device"
    assert not any(member.own_deaths for member in world.members)


def test_an_image_that_never_fits_costs_only_itself(world: World, report: Report) -> None:
    """Out of memory for one image alone, always."""
    images = [f"scene_{number:02d}.png" for number in range(scenes.KINDS)]
    place = world.rng.randrange(len(images))
    images[place] = scenes.GLUTTON_NAME
    batch = submit(world, manifest(world, len(images), images))
    world.until(
        lambda: world.progress(batch).remaining == 1, seconds=60, what="the end of all others"
    )
    world.until(lambda: _put_off(world, place), seconds=60, what="a rest of the one that is left")
    world.await_end([batch], 60)

    jobs = {job.seq: job for job in world.check(report, [batch])}
    glutton = jobs.pop(place)
    report.injected = glutton.attempts
    assert (glutton.state, glutton.attempts) == (JobState.FAILED, MAX_ATTEMPTS)
    assert "gave up after 5 attempts" in (glutton.error or "")
    assert "not enough memory for one image" in (glutton.error or "")
    assert {(job.state, job.attempts) for job in jobs.values()} == {(JobState.DONE, 0)}


def test_scoring_without_memory_is_tried_again(world: World, report: Report) -> None:
    """Out of memory while crops are compared with texts, one time in ten."""
    batch = submit(world, manifest(world, 100), spec=SCORED)
    world.await_end([batch], 60)

    jobs = world.check(report, [batch])
    report.injected = sum(job.attempts for job in jobs)
    report.note = f"{max(job.attempts for job in jobs)} attempts charged at most"
    assert report.injected > 0
    assert report.failed == 0


def _put_off(world: World, seq: int) -> list[str]:
    """What is said of a job while it rests."""
    with world.database.read() as session:
        resting = select(JobRow.error).where(
            JobRow.seq == seq,
            JobRow.state == JobState.RETRY,
            JobRow.error.contains("not enough memory for one image"),
        )
        return list(session.scalars(resting))


def _lines(world: World, words: str) -> int:
    return sum(one.log.read_text(errors="replace").count(words) for one in world.workers)

"""An S3 server that fails, is slow, cuts off and is away, under the images and under the masks."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from uuid import UUID

import pytest
from faults import history
from faults.conftest import built_world
from faults.sizes import Sizes
from faults.submitting import manifest, submit
from faults.world import SEED, Report, World, now_ms
from services.faulty_s3 import Asked, Fault, FaultyS3, faulty_s3
from services.s3_server import S3Server
from sqlalchemy import select

from db.models import ChunkRow
from maskpool.domain import MAX_CHUNK, ChunkState, Klass, new_id
from maskpool.errors import Unreachable
from maskpool.settings import Settings
from storage.objects import keys

#: A quarter of all requests meets something.
MIXED = {
    Fault.SERVER_ERROR: 0.03,
    Fault.SLOW_DOWN: 0.03,
    Fault.RESET_BEFORE: 0.03,
    Fault.RESET_MIDWAY: 0.03,
    Fault.LOST_REPLY: 0.05,
    Fault.TRUNCATED_UPLOAD: 0.05,
    Fault.TRUNCATED_REPLY: 0.05,
    Fault.SLOW: 0.05,
}

#: How one outage after the other looks from outside.
AWAY = (Fault.RESET_BEFORE, Fault.SLOW_DOWN, Fault.SERVER_ERROR)

#: Of the defaults, as everything else that these workers wait for.
A_TENTH = {"MASKPOOL_STALL_SECONDS": "12", "MASKPOOL_WEB_SECONDS": "6"}

#: Chunks of bulk that a worker may hold: one thread stays free.
BULK_THREADS = Settings().worker_threads - 1


@pytest.fixture(scope="module")
def proxy(s3_server: S3Server) -> Iterator[FaultyS3]:
    with faulty_s3(s3_server.endpoint_url, seed=SEED) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def world(
    s3_server: S3Server, proxy: FaultyS3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    told = {"MASKPOOL_S3_ENDPOINT_URL": proxy.url, **A_TENTH}
    with built_world(
        "team",
        tmp_path_factory.mktemp("faults-store"),
        store_url=f"s3://{s3_server.create_bucket()}/pool",
        told=told,
        worker_count=2,
        worker_script="hurried_worker.py",
    ) as world:
        world.start()
        yield world


def test_the_store_fails_at_random_and_is_away(
    world: World, proxy: FaultyS3, sizes: Sizes, report: Report
) -> None:
    """S3 fails in eight ways at random, and is away now and then."""
    with proxy.hurting(MIXED, seconds=0.3):
        uploaded = [_submit_until_it_goes(world, sizes.stored_jobs // 2)]
        batch_ids = [*uploaded, world.submit(sizes.stored_jobs)]
        began = len(proxy.asked)
        for outage in range(sizes.store_outages):
            done = sum(world.progress(one).done for one in batch_ids)
            world.until(
                lambda goal=done + 20: sum(world.progress(one).done for one in batch_ids) >= goal,
                seconds=60,
                what="work before the outage",
            )
            with proxy.hurting({AWAY[outage % len(AWAY)]: 1.0}):
                time.sleep(sizes.store_outage_seconds)
            back = now_ms()
            batch_ids.append(world.submit(sizes.stored_jobs // 2))
            world.until(
                lambda at=back: history.first_end_after(world.database, at),
                seconds=60,
                what="work after the outage",
            )
            report.recovery.append((history.first_end_after(world.database, back) - back) / 1000)
        world.await_end(batch_ids, 120)
    for missing in set(MIXED) - set(proxy.injected):  # one in twenty may not happen to a hundred
        with proxy.hurting({missing: 0.5}, seconds=0.3):
            # Uploaded, as only images in the store are read from it.
            uploaded.append(_submit_until_it_goes(world, sizes.stored_jobs // 2))
            world.await_end(uploaded, 120)
    assert set(proxy.injected) >= set(MIXED)

    jobs = world.check(report, {*batch_ids, *uploaded})
    report.injected = proxy.injected.total()
    waits = _waits(proxy.asked[began:])
    report.note = (
        f"waited {min(waits):.1f}–{max(waits):.1f} s between tries of an upload, at most "
        f"{_busiest_second(proxy.asked[began:])} requests a second, "
        f"{max(job.attempts for job in jobs)} attempts charged at most"
    )
    assert report.failed == 0
    assert len(waits) > 10
    assert statistics.pstdev(waits) > 0.3 * statistics.mean(waits), "tries come in step"
    assert {job.attempts for job in jobs if job.batch_id not in uploaded} == {0}, (
        "the store's fault"
    )
    assert not any(member.own_deaths for member in world.members)


def test_uploads_that_hang_hold_up_few(
    world: World, proxy: FaultyS3, sizes: Sizes, report: Report
) -> None:
    """S3 takes uploads and never answers."""
    bulk = world.submit(sizes.stored_jobs)
    began = len(proxy.asked)
    with proxy.hurting({Fault.SILENT: 1.0}, only=_uploads_of(bulk)):
        hung_at = time.monotonic()
        window = len(world.workers) * BULK_THREADS
        world.until(
            lambda: len(_hanging(proxy.asked[began:])) >= window, seconds=60, what="a full house"
        )
        held = _held(world, bulk)
        asked_at = time.monotonic()
        urgent = world.submit(8, klass=Klass.NOW)
        world.await_end([urgent], 30)
        report.recovery.append(time.monotonic() - asked_at)
        while time.monotonic() - hung_at < sizes.hang_seconds:
            world.watch()
            time.sleep(0.1)
        assert world.progress(bulk).done == 0
    world.await_end([bulk], 120)

    jobs = world.check(report, [bulk, urgent])
    report.injected = len(_hanging(proxy.asked[began:]))
    report.note = (
        f"{sum(held.values())} chunks waited in all, at most {max(held.values())} a worker"
    )
    assert report.failed == 0
    assert sum(held.values()) <= window
    assert {(job.attempts, job.losses) for job in jobs} == {(0, 0)}
    assert not any(member.own_deaths for member in world.members), "taken for stalled"


def test_one_upload_that_hangs_holds_up_no_other(
    world: World, proxy: FaultyS3, report: Report
) -> None:
    """S3 holds back one upload."""
    batch = world.submit(80)  # few enough to be through before the upload is given up
    first: list[str] = []

    def only(method: str, path: str) -> bool:
        if not _uploads_of(batch)(method, path):
            return False
        if not first:
            first.append(path)
        return path == first[0]

    with proxy.hurting({Fault.SLOW: 1.0}, only=only):
        began = time.monotonic()
        world.until(
            lambda: world.progress(batch).remaining <= MAX_CHUNK and first,
            seconds=60,
            what="everything but the chunk that waits",
        )
        behind = _images_of(world, first[0])
        world.until(
            lambda: world.progress(batch).remaining <= behind,
            seconds=60,
            what="everything but the chunk that waits",
        )
        report.recovery.append(time.monotonic() - began)
        assert world.progress(batch).remaining == behind
    world.await_end([batch], 60)

    jobs = world.check(report, [batch])
    report.injected = 1
    report.note = f"{behind} images waited"
    assert {(job.attempts, job.losses) for job in jobs} == {(0, 0)}


def _submit_until_it_goes(world: World, count: int) -> UUID:
    """Upload images and submit, again under the same key where the store was away too long."""
    source, key = manifest(world, count), str(new_id())
    for _ in range(20):
        try:
            return submit(world, source, key=key, upload=True)
        except Unreachable:
            continue
    raise AssertionError("the submitter gives up however often it is resumed")


def _uploads_of(batch: UUID) -> Callable[[str, str], bool]:
    return lambda method, path: method == "PUT" and f"masks/v1/{batch}" in path


def _hanging(asked: Sequence[Asked]) -> set[str]:
    return {one.path for one in asked if one.fault is Fault.SILENT}


def _held(world: World, batch: UUID) -> Counter[UUID]:
    """Chunks of a batch that each worker has in hand."""
    with world.database.read() as session:
        running = select(ChunkRow.worker).where(
            ChunkRow.batch_id == batch, ChunkRow.state == ChunkState.RUNNING
        )
        return Counter(session.scalars(running))


def _images_of(world: World, path: str) -> int:
    """How many images' masks an upload carries."""
    chunk = keys.chunk_of(path.rpartition("/")[2].partition(".")[0])
    with world.database.read() as session:
        return session.scalars(select(ChunkRow.size).where(ChunkRow.id == chunk)).one()


def _waits(asked: Sequence[Asked]) -> list[float]:
    """Seconds between the tries of each upload of masks that had to be tried again."""
    by_path: dict[str, list[float]] = {}
    for one in asked:
        if one.is_upload and "masks/v1/" in one.path:
            by_path.setdefault(one.path, []).append(one.at)
    return [later - earlier for tries in by_path.values() for earlier, later in pairwise(tries)]


def _busiest_second(asked: Sequence[Asked]) -> int:
    return max(Counter(int(one.at) for one in asked).values())

"""The whole corpus of broken images through one real worker process, which must outlive it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile.images import MAX_ASPECT, MAX_PIXELS, corpus
from hostile.pool import HostilePool, hostile_pool
from hostile.scripts.corner_worker import MICRO_BATCH

from maskpool.domain import JobState
from workers.process import _AHEAD

log = logging.getLogger(__name__)

MAX_BYTES = 8 * 1024 * 1024

#: What decoding may cost, measured in ``tests/unit/storage/images/test_hostile_images.py``; and
#: how often a file's bytes may be held: as read, as a parser's pieces, as a decoder's input.
BYTES_A_PIXEL = 20
COPIES = 3

#: Images that are fetched, decoded or waiting for the engine at once, in each class of batches.
IN_WORK = _AHEAD * MICRO_BATCH + 1

#: What the images may add to a worker's memory.
BOUND = IN_WORK * (MAX_PIXELS * BYTES_A_PIXEL + COPIES * MAX_BYTES)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def pool(
    postgres_url: str, folder_store_url: str, redis_url: str, tmp_path: Path
) -> Iterator[HostilePool]:
    told = {
        "MASKPOOL_MAX_IMAGE_PIXELS": str(MAX_PIXELS),
        "MASKPOOL_MAX_ASPECT": str(MAX_ASPECT),
        "MASKPOOL_MAX_IMAGE_BYTES": str(MAX_BYTES),
    }
    with hostile_pool(postgres_url, folder_store_url, redis_url, tmp_path, **told) as pool:
        yield pool


def test_no_image_ends_the_worker(pool: HostilePool, tmp_path: Path) -> None:
    readable = _laid_out(tmp_path)
    idle = pool.peak_bytes()

    batch = pool.submit(tmp_path / "all.jsonl")
    pool.run(batch, 300)

    jobs = pool.jobs(batch)
    assert len(jobs) == len(readable) >= 2_000
    assert {job.name for job in jobs} == set(readable)
    wrong = [
        (job.name, job.state, job.error)
        for job in jobs
        if not _ended_as_it_should(job.state, job.error, readable[job.name])
    ]
    assert wrong == []
    assert min(Counter(job.state for job in jobs).values()) > 500
    assert {(job.attempts, job.losses, job.solo) for job in jobs} == {(0, 0, False)}
    assert [name.rpartition(":")[2] for name in pool.worker_names()] == [str(pool.worker.pid)]
    assert "Traceback" not in pool.log.read_text(errors="replace")
    assert pool.findings() == []
    added = pool.peak_bytes() - idle
    ends = Counter(JobState(job.state).name for job in jobs)
    log.info("%s files, %s; %s bytes on top of %s, bound %s", len(jobs), ends, added, idle, BOUND)
    assert added < BOUND


def _laid_out(folder: Path) -> dict[str, bool | None]:
    """Write the corpus and its manifest; whether each file must be read."""
    readable: dict[str, bool | None] = {}
    images = folder / "images"
    images.mkdir()
    for file in corpus():
        (images / file.name).write_bytes(file.data)
        readable[file.name] = file.readable
    (images / "too-many-bytes.png").write_bytes(bytes(MAX_BYTES + 1))
    readable["too-many-bytes.png"] = False
    lines = (json.dumps({"uri": f"images/{name}", "name": name}) for name in readable)
    (folder / "all.jsonl").write_text("\n".join(lines))
    return readable


def _ended_as_it_should(state: JobState, error: str | None, readable: bool | None) -> bool:
    if state == JobState.DONE:
        return readable is not False and not error
    if state != JobState.FAILED or readable:
        return False
    return bool(error) and error.isprintable() and "internal error" not in error

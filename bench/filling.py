"""A batch that is done, without a worker: rows by COPY, mask objects by ``storage.objects.masks``.

The masks are drawn once and used again; each object is encoded, hashed and stored as a worker's is.
Rows of instances are not written: reading masks back never opens them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from uuid import UUID

import numpy as np
from sqlalchemy import update

from db import batches
from db.batches import NewBatch
from db.models import BatchRow
from db.postgres.copy_in import copy_in
from db.session import Database
from maskpool import rle
from maskpool.domain import MAX_CHUNK, BatchState, Found, Instance, JobResult, JobState, new_id
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from storage.objects import keys, masks

SPEC = BatchSpec.read(
    {"model": "sam3", "prompts": [{"text": text} for text in ("person", "car", "traffic sign")]}
)
SIZE = (1080, 1920)

#: Distinct images; their masks differ in size and shape as those of photographs do.
_SCENES = 60
_SHA = "ab" * 32

#: Objects of one transaction.
_BLOCK = 64

_COLUMNS = (
    "batch_id, seq, name, image_uri, state, masks_key, masks_offset, masks_length, width, height,"
    " n_instances"
)


def fill(database: Database, store: ObjectStore, count: int, instances: int) -> UUID:
    """Write a batch of ``count`` images that are DONE, with so many instances each."""
    new = NewBatch("bench", str(new_id()), f"{count} images", SPEC.model, SPEC.dump(), "none")
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
    scenes = _scenes(instances)
    chunks = [range(lo, min(lo + MAX_CHUNK, count)) for lo in range(0, count, MAX_CHUNK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for place in range(0, len(chunks), _BLOCK):
            made = pool.map(
                lambda seqs: _stored(store, batch_id, seqs, scenes), chunks[place : place + _BLOCK]
            )
            with (
                database.write() as session,
                copy_in(session, f"COPY jobs ({_COLUMNS}) FROM STDIN") as copy,
            ):
                for lines in made:
                    copy.write(lines)
    ended = {"state": BatchState.DONE, "total": count, "loaded": count, "next_seq": count}
    with database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(**ended, done=count))
    return batch_id


def _stored(
    store: ObjectStore, batch_id: UUID, seqs: range, scenes: list[tuple[Instance, ...]]
) -> bytes:
    """Store the object of a chunk; returns its jobs' lines for COPY."""
    named = [
        (_name(seq), JobResult(seq, SIZE[1], SIZE[0], scenes[seq % len(scenes)], _SHA))
        for seq in seqs
    ]
    made = masks.encode_chunk(batch_id, new_id(), SPEC.model, SPEC.prompts, named)
    store.put(keys.mask_object(batch_id, made.masks_key), made.data, "application/zstd")
    lines = []
    for name, result in named:
        offset, length = made.spans[result.seq]
        lines.append(
            f"{batch_id}\t{result.seq}\t{name}\tfile:///images/{name}\t{JobState.DONE.value}"
            f"\t{made.masks_key}\t{offset}\t{length}\t{SIZE[1]}\t{SIZE[0]}"
            f"\t{len(result.instances)}\n"
        )
    return "".join(lines).encode()


def _name(seq: int) -> str:
    return f"camera_{seq // 10_000:03d}/{seq:07d}.jpg"


@cache
def _scenes(instances: int) -> list[tuple[Instance, ...]]:
    random = np.random.default_rng(7)
    blobs = _blobs(random)
    return [tuple(next(blobs) for _ in range(instances)) for _ in range(_SCENES)]


def _blobs(random: np.random.Generator) -> Iterator[Instance]:
    """Wavy discs whose areas are log-normal, about 2 % of the image in the mean."""
    while True:
        share = min(0.5, float(random.lognormal(np.log(0.012), 1.0)))
        mask = rle.encode(_blob(random, np.sqrt(share * SIZE[0] * SIZE[1] / np.pi)))
        runs = rle.to_runs(mask)
        x0, y0, x1, y1 = rle.box_xyxy(runs)
        box_xyxy = (float(x0), float(y0), float(x1), float(y1))
        score = float(np.float32(random.uniform(0.5, 1)))
        found = Found(int(random.integers(3)), score, box_xyxy, mask)
        yield Instance(found, runs.area, float(np.float32(random.uniform(0, 0.4))))


def _blob(random: np.random.Generator, radius: float) -> rle.Mask:
    half = min(int(radius * 1.6) + 2, SIZE[0] // 2, SIZE[1] // 2)
    y, x = np.mgrid[-half:half, -half:half].astype(np.float32)
    around = np.linspace(-np.pi, np.pi, 720, dtype=np.float32)
    edge = np.full_like(around, radius)
    for wave in range(2, 24):
        amplitude = radius * float(random.normal(0, 0.25)) / wave
        edge += amplitude * np.cos(wave * around + float(random.uniform(0, 2 * np.pi)))
    left = int(random.integers(0, SIZE[1] - 2 * half + 1))
    top = int(random.integers(0, SIZE[0] - 2 * half + 1))
    mask = np.zeros(SIZE, np.bool_)
    there = mask[top : top + 2 * half, left : left + 2 * half]
    np.less(np.hypot(x, y), np.interp(np.arctan2(y, x), around, edge), out=there)
    return mask

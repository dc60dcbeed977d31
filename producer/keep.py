"""Keeping a prediction: a batch of one's own takes it over, and so outlives the scratch batch.

A batch asks one question, so there is one for each name and question. It is an ordinary batch that
is DONE: listed, read, exported and deleted like any other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import orjson

from db import kept, lookup
from db.batches import NewBatch
from db.chunks import Done
from db.kept import KeptJob
from db.models import JobRow
from maskpool.domain import JobResult, JobState, new_id
from maskpool.errors import Conflict, NotFound
from producer import images, originals
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool
from producer.predict import Prediction, require
from storage.objects import keys, masks
from storage.objects.masks import MaskRecord
from storage.own_store import OwnStore

#: Somebody else may keep something in the same batch at the same time.
_TRIES = 10

#: Characters of a name that is made of the question.
_MAX_MADE_NAME = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a prediction is kept.

    Attributes:
        new: False where it was kept there before.
    """

    batch_id: UUID
    seq: int
    new: bool


def keep(pool: Pool, caller: Caller, prediction: Prediction, name: str = "") -> Kept:
    """Copy a prediction that has ended into a batch of the caller's; again is the same.

    Args:
        pool: Where it is.
        caller: Whose batch it is.
        prediction: What was found.
        name: Of the batch; empty: it is made of the question.

    Raises:
        NotFound: The caller sees no such prediction, or its image is gone.
        Conflict: It has not ended, or failed.
        CorruptObject: Its masks are damaged or gone.
        Unreachable: Database or store is away.
    """
    team_id = require(pool, caller, prediction, Right.SUBMIT)
    job, record = images.stored(pool, prediction.batch_id, prediction.seq)
    if record is None:
        raise _refusal(prediction, job)
    for _ in range(_TRIES):
        batch_id = _batch(pool, caller, prediction, team_id, name)
        with pool.database.read() as session:
            source = (prediction.batch_id, prediction.seq)
            place = kept.place_of(session, source, batch_id)
            seq = kept.size(session, batch_id)
        if place is not None:
            return Kept(batch_id, place, new=False)
        if seq is not None and _append(pool, batch_id, seq, (job, record)):
            return Kept(batch_id, seq, new=True)
    sentence = "too much is kept in this batch just now; ask again in a moment"
    raise Conflict(sentence, code="keep.busy")


def _refusal(prediction: Prediction, job: JobRow) -> Conflict:
    if job.state in JobState.open():
        sentence = f"prediction {prediction} is still looked at; keep it once it has ended"
        return Conflict(sentence, code="keep.unfinished")
    sentence = f"prediction {prediction} has no result, so there is nothing to keep"
    return Conflict(sentence, code="keep.nothing")


def _batch(
    pool: Pool, caller: Caller, prediction: Prediction, team_id: UUID | None, name: str
) -> UUID:
    with pool.database.read() as session:
        spec = lookup.question(session, prediction.batch_id).spec
        # Looked for first: making one anew would also say anew how it is read.
        key = _key(spec, team_id, name)
        found = kept.find_batch(session, caller.user_id, key)
    if found is not None:
        return found
    new = NewBatch(
        owner=caller.name,
        idempotency_key=key,
        name=name or _made_name(spec),
        model=spec["model"],
        spec=spec,
        source="predict",
        team_id=team_id,
    )
    with pool.database.write() as session:
        return kept.create_batch(session, new)


def _key(spec: dict[str, Any], team_id: UUID | None, name: str) -> str:
    question = orjson.dumps([name, spec], option=orjson.OPT_SORT_KEYS)
    return f"kept:{team_id or ''}:{hashlib.sha256(question).hexdigest()[:32]}"


def _made_name(spec: dict[str, Any]) -> str:
    asked = [*(prompt["name"] for prompt in spec["prompts"]), *spec.get("classes", ())]
    text = f"kept: {', '.join(asked)}"
    return text if len(text) <= _MAX_MADE_NAME else f"{text[: _MAX_MADE_NAME - 1]}…"


def _append(pool: Pool, batch_id: UUID, seq: int, found: tuple[JobRow, MaskRecord]) -> bool:
    job, record = found
    uri, upload_id = _brought_in(pool, job, batch_id)
    with pool.database.read() as session:
        name = _free_name(session, batch_id, job.name, uri)
    # The masks first, the row last (ADR 3); gc lets a new chunk's object lie for its age.
    result = JobResult(
        *(seq, record.width, record.height, record.instances, record.image_sha256),
        tiled=record.tiled,
    )
    content = masks.encode_chunk(batch_id, new_id(), record.model, record.prompts, [(name, result)])
    key = keys.mask_object(batch_id, content.masks_key)
    pool.store().put(key, content.data, "application/zstd")
    offset, length = content.spans[seq]
    done = Done(
        *(seq, content.masks_key, offset, length),
        *(record.width, record.height, record.instances),
    )
    kept_job = KeptJob((job.batch_id, job.seq), name, uri, job.prompts, upload_id)
    try:
        with pool.database.write() as session:
            appended = kept.append(session, batch_id, kept_job, done)
    except NotFound:
        pool.store().delete([key])
        raise
    if not appended:
        pool.store().delete([key])  # no row will ever name it
    return appended


def _free_name(session: Any, batch_id: UUID, name: str, uri: str) -> str:  # noqa: ANN401 - a Session
    """The image's name, with a number where the batch has one of this name; names are unique."""
    path, number, free = PurePosixPath(name), kept.copies(session, batch_id, uri), name
    while kept.has_name(session, batch_id, free):
        number += 1
        free = str(path.with_name(f"{path.stem} ({max(number, 2)}){path.suffix}"))
    return free


def _brought_in(pool: Pool, job: JobRow, batch_id: UUID) -> tuple[str, UUID | None]:
    """Where the image lies for the batch, and in which upload.

    What belongs to the scratch batch alone goes with it, so it is copied.
    """
    key = OwnStore(pool.settings.store_url).key_of(job.image_uri)
    if key is None:
        return job.image_uri, None
    if key.startswith(keys.UPLOADS):
        return job.image_uri, keys.owner_of(key)
    copy = keys.source_object(batch_id, key.removeprefix(keys.sources_prefix(job.batch_id)))
    store = pool.store()
    if store.size(copy) is None:
        original = originals.find(pool, job.batch_id, job.seq)
        store.put_stream(copy, original.read(), pool.settings.max_image_bytes)
    return store.uri(copy), None

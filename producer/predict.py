"""One image that is in the pool already, asked about now.

The question of a call is the spec of a scratch batch, and its objects are its job's; so workers,
readers and checks know nothing of it (ADR 17).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID

import orjson

from db import jobs, scratch, uploads
from db.batches import NewBatch
from maskpool.asks import ImageAsks
from maskpool.domain import ImageRef, JobState, Klass
from maskpool.errors import NotFound, SpecError, TooMany
from maskpool.reading import Reading
from maskpool.settings import Settings
from maskpool.spec import BatchSpec, Prompt
from producer import images, originals
from producer import uploads as of_caller
from producer.abilities import require_abilities
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.images import OneImage
from producer.pool import Pool
from producer.visible import find_batch
from storage.objects import keys
from storage.own_store import OwnStore

#: Of one user, at once.
MAX_IN_FLIGHT = 4

#: Texts of one call: somebody is waiting.
_MAX_PROMPTS = 32

#: A batch may be cleared away between finding it and letting it grow.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class FromUpload:
    """A file of an upload."""

    upload_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class FromBatch:
    """An image of a batch."""

    batch_id: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        prompts: Texts, with negatives and kinds.
        asks: Objects, meant by boxes or points.
        model: Alias; empty: the pool's.
    """

    prompts: Sequence[Prompt] = ()
    asks: ImageAsks = ImageAsks()  # noqa: RUF009 - it is frozen
    model: str = ""

    def spec(self, settings: Settings) -> BatchSpec:
        """The same as the spec of a batch.

        Raises:
            SpecError: Nothing, or too much, is asked, or of a model that is not known.
        """
        if len(self.prompts) > _MAX_PROMPTS:
            raise SpecError("prompts", f"are {len(self.prompts)}; {_MAX_PROMPTS} may be asked now")
        if not self.prompts and not self.asks.objects:
            raise SpecError("prompts", "nothing is asked; give a text, a box or points")
        classes = tuple(sorted({one.class_name for one in self.asks.objects}))
        model = self.model or settings.model
        reading = Reading(max_overlap=settings.alias(model).max_overlap)
        return BatchSpec.of(model, self.prompts, reading, classes=classes)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A job that somebody waits for; ``{batch}.{seq}`` names it."""

    batch_id: UUID
    seq: int

    def __str__(self) -> str:
        return f"{self.batch_id}.{self.seq}"

    @classmethod
    def read(cls, text: str) -> Prediction:
        """The prediction that ``str`` wrote.

        Raises:
            NotFound: It is none.
        """
        batch, _, seq = text.partition(".")
        try:
            return cls(UUID(batch), int(seq) if seq.isdecimal() and len(seq) < 10 else int("x"))
        except ValueError:
            raise NotFound(f"there is no prediction {text[:80]!r}") from None


def ask(
    pool: Pool, caller: Caller, image: FromUpload | FromBatch, question: Question
) -> Prediction:
    """Let a model look at one image, before all bulk.

    Raises:
        NotFound: The caller sees no such image.
        Refused: They see it, and may not ask about it.
        SpecError: The question, or the model, is refused.
        TooMany: As many of the caller's are in flight as may be.
        ConfigError: A living worker of the model could not do what is asked.
        Unreachable: Store or database is away.
    """
    spec = question.spec(pool.settings)
    name, uri, team_id = _located(pool, caller, image)
    with pool.database.read() as session:
        require_abilities(session, spec)
    prompts = question.asks.json_text if question.asks.objects else None
    for _ in range(_TRIES):
        with pool.database.write() as session:
            new = _batch(caller, spec, team_id, scratch.today(session))
            batch_id = scratch.find_or_create(session, new, team_id)
        here = _brought_in(pool, image, uri, batch_id)
        with pool.database.write() as session:
            seq = scratch.append(session, batch_id, ImageRef(name, here, prompts))
            if seq is not None and scratch.in_flight(session, caller.user_id) > MAX_IN_FLIGHT:
                raise TooMany(
                    f"{MAX_IN_FLIGHT} of your images are looked at just now; wait for one of them"
                )
        if seq is not None:
            pool.wake()
            return Prediction(batch_id, seq)
    raise NotFound("the image could not be asked about, as the day ended; ask again")


def answer(
    pool: Pool, caller: Caller, prediction: Prediction, *, everything: bool = False
) -> OneImage | None:
    """What was found; None while it is looked at.

    Args:
        pool: Where it was asked.
        caller: Who asks for it.
        prediction: Which.
        everything: What does not count as well.

    Raises:
        NotFound: The caller asked for no such thing, or its day is over.
    """
    require(pool, caller, prediction, Right.PREDICT)
    found = images.one(pool, prediction.batch_id, prediction.seq, everything=everything)
    return None if found.job.state in JobState.open() else found


def require(pool: Pool, caller: Caller, prediction: Prediction, right: Right) -> UUID | None:
    """Refuse who may not do this with a prediction; returns its team.

    Raises:
        NotFound: The caller sees no such thing, or its day is over.
    """
    with pool.database.read() as session:
        whose = scratch.whose(session, prediction.batch_id)
    if whose is None or not caller.may(right, owner_id=whose[0], team_id=whose[1]):
        raise NotFound(f"there is no prediction {prediction} that you may see; it stays for a day")
    return whose[1]


def _located(
    pool: Pool, caller: Caller, image: FromUpload | FromBatch
) -> tuple[str, str, UUID | None]:
    """Name, URI and team of an image that the caller may ask about."""
    if isinstance(image, FromUpload):
        upload = of_caller.find(pool, caller, image.upload_id, Right.PREDICT)
        with pool.database.read() as session:
            file = uploads.whole_file(session, upload.id, image.name)
        key = keys.upload_object(upload.id, file.name)
        return file.name, pool.store().uri(key), upload.team_id
    batch = find_batch(pool, caller, image.batch_id, Right.PREDICT)
    with pool.database.read() as session:
        found = jobs.loaded_page(session, image.batch_id, after=image.seq - 1, limit=1)
    if not found or found[0].seq != image.seq:
        raise NotFound(f"batch {image.batch_id} has no image {image.seq}")
    return found[0].name, found[0].image_uri, batch.team_id


def _brought_in(pool: Pool, image: FromUpload | FromBatch, uri: str, batch_id: UUID) -> str:
    """The URI under which a worker may read the image for this batch.

    What ``submit`` uploaded belongs to its batch alone, so the first call of a day copies it.
    """
    key = OwnStore(pool.settings.store_url).key_of(uri)
    if isinstance(image, FromUpload) or key is None or key.startswith(keys.UPLOADS):
        return uri
    suffix = PurePosixPath(key).suffix
    copy = keys.source_object(batch_id, f"{image.batch_id}/{image.seq}{suffix}")
    store = pool.store()
    if store.size(copy) is None:
        original = originals.find(pool, image.batch_id, image.seq)
        store.put_stream(copy, original.read(), pool.settings.max_image_bytes)
    return store.uri(copy)


def _batch(caller: Caller, spec: BatchSpec, team_id: UUID | None, day: int) -> NewBatch:
    question = orjson.dumps(spec.dump(), option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(question).hexdigest()[:32]
    return NewBatch(
        owner=caller.name,
        idempotency_key=f"scratch:{day}:{team_id or ''}:{digest}",
        name="scratch",
        model=spec.model,
        spec=spec.dump(),
        source="predict",
        klass=Klass.NOW,
    )

"""One image that is in the pool already, asked about now.

The question of a call is the spec of a scratch batch, and its objects are its job's; so workers,
readers and checks know nothing of it (ADR 17).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from db import jobs, scratch, upload_files
from db.batches import NewBatch
from maskpool.asks import ImageAsks
from maskpool.domain import ImageRef, JobState, Klass
from maskpool.errors import NotFound, SpecError, TooMany
from maskpool.reading import Reading
from maskpool.settings import Settings
from maskpool.spec import BatchSpec
from maskpool.spec_prompt import Prompt
from maskpool.tiling.asked import Tiles
from producer import glossary, images, originals
from producer import uploads as of_caller
from producer.abilities import require_abilities
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.images import OneImage
from producer.pool import Pool
from producer.visible import find_in
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
        glossary: Version of the glossary that texts were composed with; empty where none was.
        tiles: Whether a large image is looked at in tiles, too.
    """

    prompts: Sequence[Prompt] = ()
    asks: ImageAsks = ImageAsks()  # noqa: RUF009 - it is frozen
    model: str = ""
    glossary: str = ""
    tiles: Tiles = "off"

    def composed(self, session: Session, team_id: UUID | None) -> Question:
        """The question with its Chinese texts as they are sent.

        Raises:
            SpecError: A text has not exactly one reading.
        """
        words = partial(glossary.current, session, team_id)
        prompts, version = glossary.composed_prompts(words, self.prompts)
        return replace(self, prompts=prompts, glossary=version) if version else self

    @property
    def objects(self) -> str | None:
        """The objects as a job keeps them; None where there are none."""
        return self.asks.json_text if self.asks.objects else None

    def spec(self, settings: Settings) -> BatchSpec:
        """The same as the spec of a batch.

        Raises:
            SpecError: Nothing, or too much, is asked, or of a model that is not known.
        """
        if len(self.prompts) > _MAX_PROMPTS:
            raise SpecError(
                "prompts",
                f"are {len(self.prompts)}; {_MAX_PROMPTS} may be asked now",
                code="predict.prompts",
                params={"prompts": len(self.prompts), "limit": _MAX_PROMPTS},
            )
        if not self.prompts and not self.asks.objects:
            reason = "nothing is asked; give a text, a box or points"
            raise SpecError("prompts", reason, code="spec.nothing")
        classes = tuple(sorted({one.class_name for one in self.asks.objects}))
        model = self.model or settings.model
        reading = Reading(max_overlap=settings.alias(model).max_overlap)
        return BatchSpec.of(
            model,
            self.prompts,
            reading,
            classes=classes,
            glossary=self.glossary,
            tiles=self.tiles,
        )


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
    copy: _Copy | None = None
    for _ in range(_TRIES):
        with pool.database.write() as session:
            found = _located(session, pool, caller, image)
            sent = question.composed(session, found.team_id)
            if sent is not question:
                spec = sent.spec(pool.settings)
            require_abilities(session, spec)
            batch_id = _batch(session, caller, spec, found.team_id)
            uri = found.uri_for(batch_id, copy)
            seq = None
            if uri is not None:
                named = ImageRef(found.name, uri, question.objects)
                seq = _append(session, caller, batch_id, named)
        if seq is not None:
            pool.wake()
            return Prediction(batch_id, seq)
        copy = _copied(pool, found, batch_id)
    raise NotFound("the image could not be asked about, as the day ended; ask again")


def _append(session: Session, caller: Caller, batch_id: UUID, image: ImageRef) -> int | None:
    """Let a batch grow by an image; None where it was cleared away meanwhile."""
    seq = scratch.append(session, batch_id, image)
    if seq is not None and scratch.in_flight(session, caller.user_id) > MAX_IN_FLIGHT:
        raise TooMany(
            f"{MAX_IN_FLIGHT} of your images are looked at just now; wait for one of them",
            code="predict.in_flight",
            params={"limit": MAX_IN_FLIGHT},
        )
    return seq


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
    with pool.database.read() as session:
        _require(session, caller, prediction, Right.PREDICT)
        found = images.find(session, prediction.batch_id, prediction.seq)
    if found.job.state in JobState.open():
        return None
    return images.judged(pool, found, everything=everything)


def require(pool: Pool, caller: Caller, prediction: Prediction, right: Right) -> UUID | None:
    """Refuse who may not do this with a prediction; returns its team.

    Raises:
        NotFound: The caller sees no such thing, or its day is over.
    """
    with pool.database.read() as session:
        return _require(session, caller, prediction, right)


def _require(session: Session, caller: Caller, prediction: Prediction, right: Right) -> UUID | None:
    whose = scratch.whose(session, prediction.batch_id)
    if whose is None or not caller.may(right, owner_id=whose[0], team_id=whose[1]):
        raise NotFound(f"there is no prediction {prediction} that you may see; it stays for a day")
    return whose[1]


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of an image that only its own batch may read.

    Attributes:
        uri: Where it lies.
        batch_id: Which batch may read it.
    """

    uri: str
    batch_id: UUID


@dataclass(frozen=True, slots=True)
class _Located:
    """An image that somebody may ask about.

    Attributes:
        name: Of its file, or of its job.
        uri: Where it lies.
        team_id: Whose it is.
        source: The job whose batch alone may read it; None where any may.
    """

    name: str
    uri: str
    team_id: UUID | None
    source: FromBatch | None = None

    def uri_for(self, batch_id: UUID, copy: _Copy | None) -> str | None:
        """Where a batch's worker may read it; None where it has no copy yet."""
        if self.source is None:
            return self.uri
        return copy.uri if copy is not None and copy.batch_id == batch_id else None


def _located(
    session: Session, pool: Pool, caller: Caller, image: FromUpload | FromBatch
) -> _Located:
    if isinstance(image, FromUpload):
        upload = of_caller.find_in(session, caller, image.upload_id, Right.PREDICT)
        file = upload_files.whole(session, upload.id, image.name)
        key = keys.upload_object(upload.id, file.name)
        return _Located(file.name, pool.store().uri(key), upload.team_id)
    batch = find_in(session, caller, image.batch_id, Right.PREDICT)
    found = jobs.loaded(session, image.batch_id, image.seq)
    uri = found.image_uri
    stored = OwnStore(pool.settings.store_url).key_of(uri)
    is_its_own = stored is not None and not stored.startswith(keys.UPLOADS)
    return _Located(found.name, uri, batch.team_id, image if is_its_own else None)


def _copied(pool: Pool, image: _Located, batch_id: UUID) -> _Copy | None:
    """A copy for a batch, made by the first call of a day; None where none is needed."""
    source = image.source
    if source is None:
        return None
    name = f"{source.batch_id}/{source.seq}{PurePosixPath(image.uri).suffix}"
    store, key = pool.store(), keys.source_object(batch_id, name)
    if store.size(key) is None:
        original = originals.find(pool, source.batch_id, source.seq)
        store.put_stream(key, original.read(), pool.settings.max_image_bytes)
    return _Copy(store.uri(key), batch_id)


def _batch(session: Session, caller: Caller, spec: BatchSpec, team_id: UUID | None) -> UUID:
    """The batch of what a caller asks today; see ADR 17."""
    question = orjson.dumps(spec.dump(), option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(question).hexdigest()[:32]
    day = scratch.today(session)
    new = NewBatch(
        owner=caller.name,
        idempotency_key=f"scratch:{day}:{team_id or ''}:{digest}",
        name="scratch",
        model=spec.model,
        spec=spec.dump(),
        source="predict",
        klass=Klass.NOW,
    )
    return scratch.find_or_create(session, new, team_id)

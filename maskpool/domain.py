"""The words of the domain: states, classes and the small records that travel between rooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from maskpool.packed_mask import Rle
from maskpool.sample import Sample
from maskpool.tiling.record import Tiled

#: Instances below this score are never stored; it is the floor of every later threshold.
SCORE_FLOOR = 0.05

#: Least mask IoU at which an instance is contended by a better one of another prompt.
MIN_CONTENDED = 0.5

#: Default least score wherever instances are read, drawn, exported or scored.
DEFAULT_THRESHOLD = 0.5

#: A prompt keeps at most this many instances in one image (SAM3 has 200 queries).
MAX_INSTANCES_PER_PROMPT = 200

#: Most jobs that one chunk, and so one message, may hold.
MAX_CHUNK = 64

#: Transient errors a job may meet before it is FAILED.
MAX_ATTEMPTS = 5

#: Times a job that runs alone may take its worker down before it is FAILED.
MAX_LOSSES = 3


class BatchState(IntEnum):
    """LOADING → ACTIVE ⇄ PAUSED → DONE | CANCELLED; DONE → ACTIVE by ``retry``."""

    #: Its jobs are still being written; nothing is dispatched.
    LOADING = 0
    #: Its jobs are dispatched.
    ACTIVE = 1
    #: Nothing new is dispatched; work in hand stops after the micro-batch.
    PAUSED = 2
    #: Every job is DONE or FAILED.
    DONE = 3
    #: Nothing more is accepted; what was done before stays readable.
    CANCELLED = 4

    @property
    def label(self) -> str:
        """The state as people read it, e.g. ``active``."""
        return self.name.lower()

    @classmethod
    def live(cls) -> tuple[BatchState, ...]:
        """Loaded, and not ended."""
        return (cls.ACTIVE, cls.PAUSED)

    @classmethod
    def open(cls) -> tuple[BatchState, ...]:
        """Not ended: what can still be cancelled."""
        return (cls.LOADING, *cls.live())

    @classmethod
    def ended(cls) -> tuple[BatchState, ...]:
        """Nothing changes any more by itself."""
        return (cls.DONE, cls.CANCELLED)


class JobState(IntEnum):
    """WAITING → DONE | FAILED | CANCELLED, with RETRY for those that come back.

    Being in hand is the chunk's state, not the job's: a job is written when it ends, when it comes
    back and when it is claimed again.
    """

    #: Not yet claimed, or claimed by a live chunk.
    WAITING = 0
    #: Came back; may be claimed again from ``next_at`` on.
    RETRY = 1
    #: Its result is readable.
    DONE = 2
    #: Ended without a result; ``error`` says why.
    FAILED = 3
    #: Its batch was cancelled before it ended.
    CANCELLED = 4

    @property
    def label(self) -> str:
        """The state as people read it, e.g. ``failed``."""
        return self.name.lower()

    @classmethod
    def open(cls) -> tuple[JobState, ...]:
        """Not ended."""
        return (cls.WAITING, cls.RETRY)

    @classmethod
    def counted(cls) -> tuple[JobState, ...]:
        """Ended by work, and so counted in the batch's ``done`` and ``failed``."""
        return (cls.DONE, cls.FAILED)


class ChunkState(IntEnum):
    """QUEUED → RUNNING → DONE | EXPIRED | CANCELLED."""

    #: Published, or about to be; no worker has it.
    QUEUED = 0
    #: One worker holds its lease.
    RUNNING = 1
    #: Its worker committed the results.
    DONE = 2
    #: Its lease lapsed; unfinished jobs went back.
    EXPIRED = 3
    #: Its batch was paused or cancelled.
    CANCELLED = 4

    @classmethod
    def open(cls) -> tuple[ChunkState, ...]:
        """A worker has it or will have it."""
        return (cls.QUEUED, cls.RUNNING)

    @classmethod
    def closed(cls) -> tuple[ChunkState, ...]:
        """To be folded into its batch's counters."""
        return (cls.DONE, cls.EXPIRED, cls.CANCELLED)


class Klass(IntEnum):
    """Whether a person is waiting for the result."""

    #: Interactive: outside the window and first in line.
    NOW = 0
    #: Everything else.
    BULK = 1

    @property
    def label(self) -> str:
        """``now`` or ``bulk``, as in the queue's name."""
        return self.name.lower()


class Priority(StrEnum):
    """How the batches of one owner divide the owner's share."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def weight(self) -> float:
        """GPU time relative to a normal batch of the same owner."""
        return {"low": 0.25, "normal": 1.0, "high": 4.0}[self.value]


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a source, before it is a job.

    Attributes:
        name: Path under the source, ``/``-separated, unique in the batch; ``file_name`` in exports.
        uri: Where its bytes are: ``file:///…`` or ``s3://bucket/key``.
        prompts: ``ImageAsks.json_text``, where it is asked more than its batch.
    """

    name: str
    uri: str
    prompts: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One mask found for one prompt, as a segmenter returns it.

    Attributes:
        prompt_index: Which of the prompts, from 0.
        score: SAM3's class probability × presence, in [0, 1].
        box_xyxy: Absolute pixels, tight around the mask; right and bottom edges are exclusive.
        mask: The mask of the whole image, ``rle.size == (height, width)``.
        object_index: Which of the image's objects it is the mask of, from 0; None where a prompt
            found it. An object's mask may be empty; its box is then ``(0, 0, 0, 0)``.
        predicted_iou: The model's own guess of an object's mask, in [0, 1].
    """

    prompt_index: int
    score: float
    box_xyxy: tuple[float, float, float, float]
    mask: Rle
    object_index: int | None = None
    predicted_iou: float | None = None


class PromptScores(NamedTuple):
    """What the model thought of one prompt in one image, whether it found anything or not.

    Attributes:
        presence: Probability that there is any of it, in [0, 1].
        best: Largest class probability × presence of any candidate, in [0, 1]; below
            ``SCORE_FLOOR`` nothing is stored.
    """

    presence: float
    best: float


@dataclass(frozen=True, slots=True)
class Instance:
    """One stored mask: what was found, and how it relates to its rivals.

    Attributes:
        found: Prompt, score, box and mask.
        area: Pixels of the mask.
        overlap: Largest mask IoU with a higher-scoring instance of the same prompt, in [0, 1].
        clip_score: CLIP's agreement of the crop with the prompt against its negative texts, in
            [0, 1]; ≥ 0.5 where the prompt wins. None where CLIP was not asked.
        against: How strongly a negative text of its prompt explains it, in [0, 1]: mask IoU × the
            negative's score. None where none does.
        against_text: That negative text.
        contended: Largest mask IoU with a better instance of another prompt; None below 0.5.
        contender: That instance's place among the image's instances, its ordinal.
    """

    found: Found
    area: int
    overlap: float
    clip_score: float | None = None
    against: float | None = None
    against_text: str | None = None
    contended: float | None = None
    contender: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One image of a chunk in hand."""

    seq: int
    name: str
    uri: str
    attempts: int = 0
    #: ``maskpool.asks.ImageAsks.dump()``, where this image is asked more than its batch.
    prompts: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job that ended DONE, with everything its row and its instances' rows need.

    Attributes:
        seq: Which job of the batch.
        width: Pixels, after EXIF orientation.
        height: Pixels, after EXIF orientation.
        instances: Everything found with score ≥ ``SCORE_FLOOR``, best first within a prompt.
        image_sha256: Hex digest of the image's bytes as fetched.
        scores: Of each prompt of the batch; empty where the model says none.
        tiled: How it was looked at; None where its batch asks for no tiles.
    """

    seq: int
    width: int
    height: int
    instances: tuple[Instance, ...]
    image_sha256: str
    scores: tuple[PromptScores, ...] = ()
    tiled: Tiled | None = None


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A job that did not get a result this time.

    Attributes:
        seq: Which job of the batch.
        error: A sentence a person understands.
        transient: True where trying again may help; counted against ``MAX_ATTEMPTS``.
        broken_off: True where the host of the image is there and its answer broke off, which is
            tried again for a shorter time.
    """

    seq: int
    error: str
    transient: bool = False
    broken_off: bool = False


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """What the broker carries: names of rows, never code, paths or URLs."""

    batch_id: UUID
    chunk_id: UUID
    model: str
    klass: Klass
    size: int
    solo: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is; read from the batch's row alone, whatever its size."""

    batch_id: UUID
    name: str
    owner: str
    state: BatchState
    klass: Klass
    priority: Priority
    model: str
    total: int
    loaded: int
    done: int
    failed: int
    gpu_seconds: float
    created_at_ms: int
    finished_at_ms: int | None
    #: Of which images of its source it is; None: of all.
    sample: Sample | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.state in BatchState.ended()

    @property
    def remaining(self) -> int:
        """Jobs that have not ended."""
        return 0 if self.ended else self.total - self.done - self.failed


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One listed object: its key and its size in bytes."""

    key: str
    size: int = field(compare=False)


def new_id() -> UUID:
    """A UUIDv7: sorts by time, and is never used twice, as a fencing token must not be."""
    # Imported late: bench/engine.py measures a segmenter where only torch is installed.
    from uuid_utils.compat import uuid7  # noqa: PLC0415

    return uuid7()

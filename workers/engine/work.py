"""What is submitted to the engine, and what comes back."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Generic, TypeAlias

import numpy as np
import numpy.typing as npt

from maskpool.ports import Answer, Image, Prepared_co, Request


@dataclass(frozen=True, slots=True)
class Scored:
    """How well some crops agree with some texts, and the device time it took."""

    #: Scaled cosine similarities, float32 (crops, texts).
    similarities: npt.NDArray[np.float32]
    #: Busy seconds.
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class ImageWork(Generic[Prepared_co]):
    """An image to be segmented.

    Attributes:
        request: What the segmenter is given: the prepared image, or the image where there was no
            memory to prepare it, and what it is asked.
        nbytes: Bytes of the image before it was prepared: its submitter holds it meanwhile.
        future: The answer.
    """

    request: Request[Prepared_co]
    nbytes: int
    future: Future[Answer] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, eq=False)
class CropWork:
    """Crops to be compared with texts.

    Attributes:
        crops: RGB uint8 arrays (height, width, 3).
        texts: What each crop is compared with.
        future: The answer.
    """

    crops: Sequence[Image]
    texts: tuple[str, ...]
    future: Future[Scored] = field(default_factory=Future)

    @property
    def nbytes(self) -> int:
        """Bytes of all crops."""
        return sum(crop.nbytes for crop in self.crops)


Work: TypeAlias = ImageWork[Prepared_co] | CropWork


def begin(work: Work[Prepared_co]) -> bool:
    """Whether the work is to be done: False where it was cancelled while it waited."""
    return work.future.set_running_or_notify_cancel()


def fail(works: Sequence[Work[Prepared_co]], error: Exception) -> None:
    """Give everyone who waits for these the same error."""
    for work in works:
        work.future.set_exception(error)


def without_frames(error: Exception) -> Exception:
    """The same error with a traceback that can be printed, but whose frames hold no tensor."""
    chained: BaseException | None = error
    while chained is not None:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__context__
    return error


def answered(answer: Answer) -> Future[Answer]:
    """An answer that nobody needs to wait for."""
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future


def settle(pairs: Sequence[tuple[ImageWork[Prepared_co], Answer]], seconds: float) -> None:
    """Hand out the answers of a micro-batch, each with its share of the busy time.

    The segmenter's own measure decides who pays how much, and the engine's clock how much there is
    to pay: what lies between two measures was spent too. Evenly, where nothing was measured.
    """
    measured = sum(answer.seconds for _, answer in pairs)
    for work, answer in pairs:
        part = answer.seconds / measured if measured else 1 / len(pairs)
        work.future.set_result(replace(answer, seconds=seconds * part))

"""What is submitted to the engine, and what comes back."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from maskpool.domain import Found
from maskpool.ports import Image

Prepared_co = TypeVar("Prepared_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Segmented:
    """What was found in one image, and the image's share of the device's time."""

    #: By prompt and then by falling score.
    found: list[Found]
    #: Busy seconds of its micro-batch over the images in it.
    seconds: float


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
        prepared: What the segmenter is given: the prepared image, or the image where there was no
            memory to prepare it.
        prompts: All texts to look for in it.
        nbytes: Bytes of the image before it was prepared: its submitter holds it meanwhile.
        future: The answer.
    """

    prepared: Prepared_co | Image
    prompts: tuple[str, ...]
    nbytes: int
    future: Future[Segmented] = field(default_factory=Future)


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

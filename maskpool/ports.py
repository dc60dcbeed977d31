"""The three real variation points of maskpool, as protocols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeAlias, TypeVar

from maskpool.domain import Found, ObjectInfo, PromptScores

if TYPE_CHECKING:  # a process that only hands masks on needs no numpy
    import numpy as np
    import numpy.typing as npt

#: RGB, uint8, shape (height, width, 3), upright (EXIF orientation applied).
Image: TypeAlias = "npt.NDArray[np.uint8]"

#: What a segmenter's images are converted into in advance.
Prepared_co = TypeVar("Prepared_co", covariant=True)
Prepared_contra = TypeVar("Prepared_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class ObjectAsk:
    """One object of an image, meant by a box, by points or by both; it becomes one mask.

    Attributes:
        object_index: Its place among the objects of its image, from 0.
        prompt_index: The place of its class among the categories of the batch.
        box_xyxy: Around it, in pixels of the image before it was prepared, and inside that image.
        points: ``(x, y, label)`` in the same pixels; label 1 lies on the object, 0 beside it.
        score: Of whoever drew the box, in [0, 1].
    """

    object_index: int
    prompt_index: int
    box_xyxy: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, Literal[0, 1]], ...] = ()
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Request(Generic[Prepared_co]):
    """An image and what is asked of it.

    Attributes:
        image: Prepared, or an RGB uint8 array (height, width, 3).
        texts: What to look for; a text's place is the ``prompt_index`` of what it finds.
        stuff: Places of those texts that ask for one region and not for instances.
        objects: Those that are to become masks, in the order of the source.
    """

    image: Prepared_co | Image
    texts: tuple[str, ...]
    stuff: tuple[int, ...] = ()
    objects: tuple[ObjectAsk, ...] = ()

    @property
    def rows(self) -> int:
        """How often a head of the model runs for it, beside the one pass of vision."""
        return len(self.texts) + len(self.objects)

    @property
    def text_only(self) -> bool:
        """Whether instances of texts are all that it asks for."""
        return not self.stuff and not self.objects


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found in one image.

    Attributes:
        found: What texts found, by prompt and then by falling score; then one mask an object, in
            the order of the objects, also where the mask is empty.
        seconds: The device's time for this image: its share of the vision pass, and of each head by
            its rows. 0 where nothing was measured.
        scores: Of each text, by its place; empty where the model says none.
    """

    found: list[Found]
    seconds: float = 0.0
    scores: tuple[PromptScores, ...] = ()


class ObjectStore(Protocol):
    """A flat space of immutable objects. Keys are ``/``-separated and relative to the store's URL.

    Every method raises ``Unreachable`` where the store does not answer and ``ConfigError`` where it
    refuses us (credentials, missing bucket); both name the store and never a secret.
    """

    @property
    def url(self) -> str:
        """The store's own URL, without credentials."""
        ...

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """Write ``data`` whole or not at all; the same key with the same bytes is harmless."""
        ...

    def put_file(self, key: str, path: Path) -> None:
        """Stream a local file into the store, whole or not at all."""
        ...

    def put_stream(self, key: str, chunks: Iterable[bytes], limit: int) -> tuple[int, str]:
        """Write what comes, whole or not at all, while holding no more than one part of it.

        Nothing is written where ``chunks`` raises: its own error comes out.

        Args:
            key: Of the object.
            chunks: The content, in pieces of any sizes.
            limit: Bytes that it may have.

        Returns:
            How many bytes it had, and its SHA-256 in hex.

        Raises:
            TooLarge: It has more.
        """
        ...

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read an object, or ``length`` bytes of it from ``offset``.

        Raises:
            NotFound: There is no such object.
        """
        ...

    def size(self, key: str) -> int | None:
        """Bytes of an object, or None where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Objects whose key starts with ``prefix``, sorted by key, streamed."""
        ...

    def delete(self, keys: Iterable[str]) -> int:
        """Delete objects; those that are gone already are no error. Returns how many were asked."""
        ...

    def sweep(self, older_than: float, *, dry_run: bool = False) -> Iterator[int]:
        """Delete what writers that were killed left half-written; yields the bytes of each.

        Nothing is deleted that ``list`` shows. A store that never has any yields nothing.

        Args:
            older_than: Seconds since it was last written to; a write in progress is younger.
            dry_run: Delete nothing.
        """
        ...

    def uri(self, key: str) -> str:
        """The URI under which a worker's fetcher finds the object, e.g. ``s3://bucket/prefix/key``."""
        ...


class Segmenter(Protocol[Prepared_contra]):
    """Finds what images are asked for, with one pass of vision an image.

    ``Prepared_contra`` is what an image may be converted into in advance, in another thread: e.g.
    pixels that are resized and on the device already.
    """

    def segment(self, requests: Sequence[Request[Prepared_contra]]) -> list[Answer]:
        """Segment a micro-batch; requests may differ in all that they ask.

        Returns:
            One answer for each request, in their order. Of what texts find, only what has score ≥
            ``SCORE_FLOOR`` and a mask that is not empty.

        Raises:
            SpecError: A text is longer than the text encoder's context.
            ConfigError: A request asks for what this model cannot do.
        """
        ...


class Scorer(Protocol):
    """Says how well crops agree with texts."""

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scaled cosine similarities (CLIP's logits), shape (crops, texts)."""
        ...

"""The three real variation points of maskpool, as protocols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from maskpool.domain import Found, ObjectInfo

#: RGB, uint8, shape (height, width, 3), upright (EXIF orientation applied).
Image = npt.NDArray[np.uint8]

#: What a segmenter's images are converted into in advance.
Prepared_contra = TypeVar("Prepared_contra", contravariant=True)


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
    """Finds every instance of every prompt; one call names all prompts of its images.

    ``Prepared_contra`` is what an image may be converted into in advance, in another thread: e.g.
    pixels that are resized and on the device already.
    """

    def segment(
        self, images: Sequence[Prepared_contra | Image], prompts: Sequence[str]
    ) -> list[list[Found]]:
        """Segment a micro-batch.

        Args:
            images: Prepared, or RGB uint8 arrays (height, width, 3); sizes may differ.
            prompts: Texts, the same for every image.

        Returns:
            One list for each image, in the order of ``images``: instances with score ≥
            ``SCORE_FLOOR``, by prompt and then by falling score.

        Raises:
            SpecError: A prompt is longer than the text encoder's context.
        """
        ...


class Scorer(Protocol):
    """Says how well crops agree with texts."""

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scaled cosine similarities (CLIP's logits), shape (crops, texts)."""
        ...

"""The scores of some images as arrays: what a list of images asks, without a row an instance.

A block is kept as bytes: a zstd frame with a head and then each array, little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from maskpool.errors import CorruptObject

#: Of an image that has no row.
NO_STATE = 255

#: The version of this form, bytes of a score, images, instances.
_HEAD = struct.Struct("<BBII")
_FORM = 1

#: Scores are no more repetitive than that a higher level would pay.
_LEVEL = 1

_COUNTS, _IS_OBJECT = 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBlock:
    """Images that follow each other, and all instances that are stored of them.

    Attributes:
        states: (n,) uint8, of each image: ``maskpool.domain.JobState``, or ``NO_STATE``.
        places: (n,) uint32, where each image stands by name among all of its batch.
        image: (m,) uint16, of each instance: its image's place in the block.
        prompt: (m,) int16: its ``prompt_index``.
        score: (m,) float32 or float64, as the database holds it.
        counts: (m,) bool: whether it counts.
        is_object: (m,) bool: whether it is the mask of an object.
    """

    states: npt.NDArray[np.uint8]
    places: npt.NDArray[np.uint32]
    image: npt.NDArray[np.uint16]
    prompt: npt.NDArray[np.int16]
    score: npt.NDArray[np.floating[Any]]
    counts: npt.NDArray[np.bool_]
    is_object: npt.NDArray[np.bool_]

    def dump(self) -> bytes:
        """As bytes."""
        flags = self.counts * np.uint8(_COUNTS) | self.is_object * np.uint8(_IS_OBJECT)
        head = _HEAD.pack(_FORM, self.score.itemsize, self.states.size, self.score.size)
        arrays = (self.states, self.places, self.image, self.prompt, self.score, flags)
        content = b"".join(one.astype(one.dtype.newbyteorder("<")).tobytes() for one in arrays)
        return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(head + content)

    def same_as(self, other: ScoreBlock) -> bool:
        """Whether two blocks say the same."""
        pairs = [(getattr(self, one.name), getattr(other, one.name)) for one in fields(self)]
        return all(np.array_equal(mine, its) for mine, its in pairs)

    @classmethod
    def load(cls, content: bytes) -> ScoreBlock:
        """Out of its bytes.

        Raises:
            CorruptObject: They are not what ``dump`` gave.
        """
        try:
            states, places, image, prompt, score, flags = _arrays(content)
        except (zstandard.ZstdError, struct.error, ValueError, TypeError) as error:
            raise CorruptObject(
                f"a block of kept scores is damaged, or of another version of maskpool: {error}"
            ) from None
        counts, is_object = flags & _COUNTS != 0, flags & _IS_OBJECT != 0
        return cls(states, places, image, prompt, score, counts, is_object)


def _arrays(content: bytes) -> list[npt.NDArray[Any]]:
    plain = zstandard.ZstdDecompressor().decompress(content)
    form, width, images, instances = _HEAD.unpack_from(plain)
    if form != _FORM:
        raise ValueError(f"its form is {form}, and {_FORM} is known")
    kinds = ("u1", "<u4", "<u2", "<i2", f"<f{width}", "u1")
    counts = (images, images, *[instances] * 4)
    found, at = [], _HEAD.size
    for kind, count in zip(kinds, counts, strict=True):
        found.append(np.frombuffer(plain, np.dtype(kind), count, at))
        at += found[-1].nbytes
    return found

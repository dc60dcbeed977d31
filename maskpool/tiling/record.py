"""How an image was looked at, as it is kept beside its masks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Why(StrEnum):
    """Why an image was looked at as it was."""

    #: The batch asks for tiles of every image.
    ASKED = "asked"
    #: ``auto``: more than two tiles long.
    LARGE = "large"
    #: Not cut: it fits into a tile, or, by ``auto``, is not much larger.
    SMALL = "small"
    #: Not cut: only regions are asked for, which the whole view shows best.
    REGIONS = "regions"


_SENTENCES = {
    Why.ASKED: "as the batch asks for tiles",
    Why.LARGE: "as it is more than two tiles long",
    Why.SMALL: "as it is not much larger than a tile",
    Why.REGIONS: "as only regions are asked for, which the whole view shows best",
}


@dataclass(frozen=True, slots=True)
class Tiled:
    """How one image of a batch with tiles was looked at.

    Attributes:
        why: It was cut, or not.
        side: Of a tile, pixels.
        overlap: Share of it that neighbours have in common, at least.
        count: Tiles beside the whole view; 0: it was not cut.
        left_out: Masks beyond the most that are kept of a prompt, those with the lowest scores.
    """

    why: Why
    side: int
    overlap: float
    count: int
    left_out: int = 0

    @property
    def sentence(self) -> str:
        """For people."""
        if not self.count:
            return f"looked at as a whole, {_SENTENCES[self.why]}"
        shown = f"looked at as a whole and in {self.count} tiles of {self.side} pixels"
        rest = f"; {self.left_out} masks with the lowest scores are left out"
        return f"{shown}, {_SENTENCES[self.why]}{rest if self.left_out else ''}"

    def to_json(self) -> dict[str, Any]:
        """As an image's line in a mask object keeps it."""
        content = {
            "why": self.why.value,
            "side": self.side,
            "overlap": self.overlap,
            "count": self.count,
        }
        return content | {"left_out": self.left_out} if self.left_out else content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Tiled:
        """What ``to_json`` wrote.

        Raises:
            ValueError, KeyError, TypeError: It did not write this.
        """
        return cls(
            Why(content["why"]),
            int(content["side"]),
            float(content["overlap"]),
            int(content["count"]),
            int(content.get("left_out", 0)),
        )

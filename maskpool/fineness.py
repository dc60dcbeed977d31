"""How fine masks are made on reading."""

from __future__ import annotations

from enum import StrEnum


class Fineness(StrEnum):
    """Each level does what the one before does, and more."""

    #: As stored.
    NONE = "none"
    #: Without small islands and small holes.
    LOW = "low"
    #: Its outline smoothed, too, by half a cell of the model's map.
    MEDIUM = "medium"
    #: Drawn to the picture's edges, too.
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Place among the levels, 0 for none."""
        return list(Fineness).index(self)

"""A sample of a batch's images: stretches of them, evenly spread, which one index finds."""

from __future__ import annotations

#: How many, and images of each.
_STRETCHES, _STRETCH = 20, 500


def sample(total: int) -> list[range]:
    """Stretches of a batch's jobs; one with all of them where they are few."""
    if total <= _STRETCHES * _STRETCH:
        return [range(total)]
    starts = (n * (total - _STRETCH) // (_STRETCHES - 1) for n in range(_STRETCHES))
    return [range(start, start + _STRETCH) for start in starts]

"""A sample of a batch's images: stretches of them, evenly spread, which one index finds."""

from __future__ import annotations

#: How many, and images of each.
_STRETCHES, _STRETCH = 20, 500


def sample(total: int, *, part: float = 1.0) -> list[range]:
    """Stretches of a batch's jobs; one with all of them where they are few.

    Args:
        total: Jobs of the batch.
        part: Of the usual length of a stretch.
    """
    length = max(round(_STRETCH * part), 1)
    if total <= _STRETCHES * length:
        return [range(total)]
    starts = (n * (total - length) // (_STRETCHES - 1) for n in range(_STRETCHES))
    return [range(start, start + length) for start in starts]

"""What a closed chunk costs in turns: the device's time, and the place of what used none."""

from __future__ import annotations

#: Bulk chunks that a worker has in hand side by side, as it comes.
_SIDE_BY_SIDE = 2

#: What a place was kept for longer was kept by an outage of ours, and is not the owner's to pay.
_LONGEST_SECONDS = 120.0


def cost(*, size: int, done: int, spent: float, charged: float, held: float) -> float:
    """GPU-seconds that the owner's and the batch's clocks go on by for a chunk that was finished.

    Images that were looked at cost what the device needed. Images that were not – they cannot be
    read, or their place does not answer – used none of it, but kept a place in the pool's window
    from others. Were they free, a batch of nothing else would have all places for as long as it
    lasts. They cost what was estimated at the claim, or the worker's time that the place was kept
    for, whichever is more.

    Args:
        size: Jobs in the chunk.
        done: Those with a result.
        spent: The device's seconds.
        charged: GPU-seconds as estimated at the claim.
        held: Seconds from the claim until now.
    """
    place = max(charged, min(held, _LONGEST_SECONDS) / _SIDE_BY_SIDE)
    unserved = (size - done) / size
    return max(spent, min(place, spent + unserved * place))

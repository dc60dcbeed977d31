"""The corpus: thousands of image files that are broken on purpose, the same at every run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from hostile.bombs import bombs
from hostile.damage import damaged, shuffled_chunks
from hostile.whole import whole_files

SEED = 20_261_121

#: What a pool must allow for the corpus to mean what its names say.
MAX_PIXELS = 4_000_000
MAX_ASPECT = 2_000.0

#: The suffix that a whole file is given beside its own, in turn.
_WRONG = ("jpg", "png", "gif", "tif", "bmp", "webp")


@dataclass(frozen=True, slots=True)
class HostileImage:
    """One file.

    Attributes:
        name: What was done to what, and a suffix, which may lie.
        data: Its bytes.
        readable: True: nothing is wrong with its pixels, so it must be read; False: it must be
            refused; None: either is right, as long as it ends.
    """

    name: str
    data: bytes
    readable: bool | None = None


def corpus() -> Iterator[HostileImage]:
    """Every file; the order and the bytes are those of ``SEED``."""
    for number, (name, suffix, data) in enumerate(whole_files()):
        yield HostileImage(f"{name}.{suffix}", data, readable=True)
        wrong = next(one for one in _WRONG[number % len(_WRONG) :] + _WRONG if one != suffix)
        yield HostileImage(f"{name}-called-{wrong}.{wrong}", data, readable=True)
        rng = random.Random(f"{SEED} {name}")
        for what, broken in damaged(data, rng):
            yield HostileImage(f"{name}-{what}.{suffix}", broken)
        if suffix == "png":
            for what, broken in shuffled_chunks(data, rng):
                yield HostileImage(f"{name}-{what}.{suffix}", broken)
    for name, suffix, data, readable in bombs():
        yield HostileImage(f"{name}.{suffix}", data, readable=readable)

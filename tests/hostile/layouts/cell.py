"""One file of a matrix of layouts, and what a person sees in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Odd sizes, so that a wrong stride shows.
WIDTH, HEIGHT = 13, 7

Numbers = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Cell:
    """One file.

    Attributes:
        name: Its layout in words.
        suffix: Of its name.
        data: Its bytes.
        truth: RGB (height, width, 3), from the generator's own numbers; None where a file does not
            say what its numbers mean, so that it must be refused.
    """

    name: str
    suffix: str
    data: bytes
    truth: Pixels | None


def numbers(channels: int, most: int, seed: int = 0) -> Numbers:
    """Random numbers 0…``most``, (HEIGHT, WIDTH, channels); both ends are among them."""
    drawn = np.random.default_rng([seed, channels, most]).integers(
        0, most, (HEIGHT, WIDTH, channels), endpoint=True
    )
    drawn[0, 0], drawn[-1, -1] = 0, most
    return drawn


def to_bytes(values: Numbers, most: int) -> Pixels:
    """0…``most`` → 0…255, rounded to the nearest."""
    return np.rint(values * 255.0 / most).astype(np.uint8)


def grey(values: Pixels) -> Pixels:
    """(h, w, 1) → three channels."""
    return np.repeat(values, 3, axis=2)


def over_white(colours: Pixels, alpha: Pixels, *, premultiplied: bool = False) -> Pixels:
    """Colours (h, w, 3) with alpha (h, w, 1), laid over white."""
    share = alpha / 255.0
    lit = colours.astype(float) if premultiplied else colours * share
    return np.clip(np.rint(lit + 255.0 * (1 - share)), 0, 255).astype(np.uint8)

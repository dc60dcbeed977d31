"""Masks made smaller in runs are those that decoding, resizing and encoding give."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from maskpool import rle
from maskpool.picture_sizes import VIEW_SIDE, fitted
from maskpool.rle_scaling import scaled

sides = st.integers(1, 40)


def striped(height: int, width: int, period: int) -> np.ndarray:
    """Runs that wrap from one column's foot into the next ones."""
    return (np.arange(height * width) // period % 2 == 1).reshape(width, height).T


masks = hnp.arrays(np.bool_, st.tuples(sides, sides)) | st.builds(
    striped, sides, sides, st.integers(1, 400)
)


def plainly(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixel below the centre of each new one, in exact fractions."""
    rows, columns = (
        [math.floor(Fraction(2 * place + 1, 2) * Fraction(old, new)) for place in range(new)]
        for old, new in zip(mask.shape, size, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def by_pillow(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resized by Pillow, whose centres are floats: one on an edge may fall to either side."""
    height, width = size
    image = Image.fromarray(mask.astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.NEAREST)).astype(bool)


@given(masks, st.data())
def test_a_mask_is_made_smaller_as_nearest_does_it(mask: np.ndarray, data: Any) -> None:
    size = tuple(data.draw(st.integers(1, side)) for side in mask.shape)
    found = scaled(rle.encode(mask), size)
    assert found == rle.encode(plainly(mask, size))


def test_a_large_mask_too() -> None:
    height, width = 3_000, 4_001
    rows, columns = np.mgrid[:height, :width]
    mask = (rows - 1_400) ** 2 + (columns - 2_100) ** 2 < 1_300**2
    mask[:, :3] = mask[7::50, :] = True
    view = fitted(width, height, VIEW_SIDE)[::-1]
    assert view == (1_536, 2_048)
    assert scaled(rle.encode(mask), view) == rle.encode(by_pillow(mask, view))


@pytest.mark.parametrize("size", [(5, 4), (4, 5), (0, 1), (1, 0)])
def test_no_mask_is_made_larger(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="smaller"):
        scaled(rle.encode(np.ones((4, 4), dtype=np.bool_)), size)


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 3_000))
def test_a_picture_fits_its_square_and_keeps_its_shape(width: int, height: int, side: int) -> None:
    small = fitted(width, height, side)
    assert max(small) == min(side, max(width, height))
    scale = max(small) / max(width, height)
    for new, old in zip(small, (width, height), strict=True):
        assert 1 <= new <= old
        assert new == 1 or abs(new - old * scale) <= 0.5 + 1e-6


def test_a_picture_that_fits_stays() -> None:
    assert fitted(640, 480, VIEW_SIDE) == (640, 480)
    assert fitted(30, 90_000, VIEW_SIDE) == (1, VIEW_SIDE)

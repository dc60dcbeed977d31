"""Boundary IoU, beside the erosion of a whole image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from maskpool import rle
from producer.scoring.boundary import boundary_iou, boundary_width

Mask = npt.NDArray[np.bool_]

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=90)


def of(one: Mask, other: Mask) -> float:
    return boundary_iou(rle.to_runs(rle.encode(one)), rle.to_runs(rle.encode(other)))


def slow(one: Mask, other: Mask) -> float:
    square = np.ones((3, 3))
    width = boundary_width((one.shape[0], one.shape[1]))
    near = [mask & ~ndimage.binary_erosion(mask, square, width) for mask in (one, other)]
    union = (near[0] | near[1]).sum()
    return float((near[0] & near[1]).sum() / union) if union else 0.0


@given(st.data(), SHAPES)
def test_it_is_what_the_slow_reference_says(data: st.DataObject, shape: tuple[int, int]) -> None:
    one, other = (data.draw(arrays.arrays(np.bool_, shape, fill=st.just(True))) for _ in range(2))
    assert of(one, other) == pytest.approx(slow(one, other))


def test_of_large_things_it_is_what_the_slow_reference_says() -> None:
    y, x = np.mgrid[:300, :420]
    one = np.hypot(y - 150, x - 200) < 120
    other = np.hypot(y - 153, x - 210) < 115
    assert of(one, other) == pytest.approx(slow(one, other))
    assert of(one, one) == 1.0
    # Nothing of what lies within counts.
    hollow = one & (np.hypot(y - 150, x - 200) > 60)
    assert of(one, hollow) < 0.7 < float((one & hollow).sum() / one.sum())


def test_the_edge_of_the_image_is_outline() -> None:
    full = np.ones((100, 100), dtype=np.bool_)
    assert of(full, full) == 1.0
    half = full.copy()
    half[:, 50:] = False
    assert of(full, half) == pytest.approx(slow(full, half))


def test_masks_without_a_pixel_agree_in_nothing() -> None:
    none, full = np.zeros((9, 7), dtype=np.bool_), np.ones((9, 7), dtype=np.bool_)
    assert of(none, none) == of(none, full) == of(full, none) == 0.0

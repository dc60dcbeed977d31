"""Masks made finer on reading, beside plain slow references."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from maskpool import rle
from maskpool.fineness import Fineness
from producer.refining import refine
from producer.refining.regions import LEAST_PIXELS, LEAST_SHARE, cleaned
from producer.refining.smooth import smoothed

Mask = npt.NDArray[np.bool_]

SIDES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
MASKS = arrays.arrays(np.bool_, SIDES)
CORNERS = np.ones((3, 3))


def blob(height: int, width: int, seed: int = 0) -> Mask:
    """A round thing with a ragged outline, specks and pits."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    y, x = np.mgrid[:height, :width]
    far = np.hypot((y / height - 0.5) * 3, (x / width - 0.5) * 3)
    return np.asarray(1 - far + 0.6 * ndimage.gaussian_filter(noise, 2) / 0.14 * 0.3 > 0)


def ring(side: int = 200, width: int = 12) -> Mask:
    y, x = np.mgrid[:side, :side] - side / 2
    far = np.hypot(y, x)
    return np.asarray((far < side / 3) & (far > side / 3 - width))


def slow_low(mask: Mask) -> Mask:
    """Low as one would write it down, over whole images."""
    least = max(LEAST_PIXELS, LEAST_SHARE * mask.sum())
    holes, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))
    sizes = np.bincount(holes.ravel())
    small = sizes < least
    small[[0, holes[0, 0]]] = False
    filled = mask | small[holes][1:-1, 1:-1]
    # Of islands that are equally large, the leftmost is first.
    islands = ndimage.label(filled.T, CORNERS)[0].T
    sizes = np.bincount(islands.ravel())
    sizes[0] = 0
    kept = sizes >= least
    kept[sizes.argmax()] = sizes.max() > 0
    return np.asarray(kept[islands] & filled)


def low_of(mask: Mask) -> Mask:
    return rle.decode(rle.from_runs(cleaned(rle.to_runs(rle.encode(mask)))))


def soft_of(mask: Mask, sigma: tuple[float, float]) -> Mask:
    return rle.decode(rle.from_runs(smoothed(rle.to_runs(rle.encode(mask)), sigma)))


def iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


@given(MASKS)
def test_low_is_what_the_slow_reference_says(mask: Mask) -> None:
    assert (low_of(mask) == slow_low(mask)).all()


@pytest.mark.parametrize("seed", range(3))
def test_low_of_a_large_mask_is_what_the_slow_reference_says(seed: int) -> None:
    mask = blob(300, 420, seed) ^ (np.random.default_rng(seed).random((300, 420)) < 0.03)
    assert (low_of(mask) == slow_low(mask)).all()
    assert (low_of(mask) != mask).any()


@given(MASKS)
def test_low_changes_nothing_over_its_limit(mask: Mask) -> None:
    """Each region that changed is smaller than the limit, but where small ones touch each other."""
    low, least = low_of(mask), max(LEAST_PIXELS, LEAST_SHARE * mask.sum())
    holes, count = ndimage.label(low & ~mask)
    assert all((holes == one).sum() < least for one in range(1, count + 1))
    islands, count = ndimage.label(mask & ~low, CORNERS)
    assert all((islands == one).sum() < least for one in range(1, count + 1))


@given(MASKS)
def test_low_joins_no_islands(mask: Mask) -> None:
    """Filled holes lie within one island, so islands stay as apart as they were."""
    islands, _ = ndimage.label(mask, CORNERS)
    after, count = ndimage.label(low_of(mask), CORNERS)
    for one in range(1, count + 1):
        within = set(islands[(after == one) & mask])
        # More than one only where an island lay in a hole of another one.
        outer = [name for name in within if _reaches_out(mask, islands == name)]
        assert len(outer) <= 1


def _reaches_out(mask: Mask, island: Mask) -> bool:
    outside, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))
    open_ = outside == outside[0, 0]
    return bool((ndimage.binary_dilation(open_, CORNERS)[1:-1, 1:-1] & island).any())


def test_a_ring_stays_a_ring() -> None:
    mask = ring()
    for fineness in (Fineness.LOW, Fineness.MEDIUM):
        found = refine(rle.encode(mask), fineness, (2.0, 2.0))
        inside = rle.decode(found.mask)
        assert found.taken is fineness
        assert not inside[100, 100]
        assert ndimage.label(~inside)[1] == 2
        assert iou(inside, mask) > 0.95


@given(MASKS)
def test_none_is_the_mask_itself(mask: Mask) -> None:
    raw = rle.encode(mask)
    found = refine(raw, Fineness.NONE, (4.0, 4.0))
    assert found.mask is raw
    assert found.taken is Fineness.NONE


@pytest.mark.parametrize("fineness", list(Fineness))
def test_an_empty_mask_stays_empty(fineness: Fineness) -> None:
    raw = rle.empty((30, 40))
    found = refine(raw, fineness, (4.0, 4.0))
    assert (found.mask, found.area, found.box) == (raw, 0, (0, 0, 0, 0))
    assert found.taken is min(fineness, Fineness.MEDIUM, key=lambda one: one.rank)


@given(MASKS, st.sampled_from(list(Fineness)), st.floats(0.1, 9), st.floats(0.1, 9))
def test_a_refined_mask_is_whole_close_and_the_same_each_time(
    mask: Mask, fineness: Fineness, down: float, across: float
) -> None:
    found = refine(rle.encode(mask), fineness, (down, across))
    drawn = rle.decode(found.mask)
    assert drawn.shape == mask.shape
    assert found.area == drawn.sum()
    assert found.box == rle.box_xyxy(rle.to_runs(found.mask))
    assert found.mask == rle.encode(drawn)
    # Two steps at most, none of which changes more than a tenth.
    assert not mask.any() or iou(drawn, mask) >= 0.9**2
    assert found == refine(rle.encode(mask), fineness, (down, across))


@pytest.mark.parametrize("sigma", [(0.7, 0.7), (1.9, 3.3), (5.2, 6.9), (0.8, 4.0), (2.0, 0.2)])
def test_smoothing_is_a_gaussian(sigma: tuple[float, float]) -> None:
    mask = low_of(blob(301, 407))
    exact = ndimage.gaussian_filter(mask.astype(float), sigma, mode="nearest") > 0.5
    assert iou(soft_of(mask, sigma), exact) > 0.99
    assert (exact != mask).any()


def test_smoothing_moves_no_straight_edge() -> None:
    mask = np.zeros((120, 160), dtype=np.bool_)
    mask[:, 37:91] = True
    assert (soft_of(mask, (2.0, 3.3)) == mask).all()
    assert (soft_of(mask.T, (4.4, 2.0)) == mask.T).all()


@pytest.mark.parametrize("sigma", [(1.0, 1.0), (3.0, 4.0)])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_mask_at_the_edge_keeps_touching_it(
    sigma: tuple[float, float], place: tuple[int, int]
) -> None:
    mask = np.zeros((101, 133), dtype=np.bool_)
    y, x = place[0] * 61, place[1] * 83
    mask[y : y + 40, x : x + 50] = True
    soft = soft_of(mask, sigma)
    assert (soft[0].any(), soft[-1].any()) == (mask[0].any(), mask[-1].any())
    assert (soft[:, 0].any(), soft[:, -1].any()) == (mask[:, 0].any(), mask[:, -1].any())
    # It is cut off straight there, not rounded.
    assert soft[100 * place[0], 132 * place[1]]
    full = np.ones((101, 133), dtype=np.bool_)
    assert soft_of(full, sigma).all()


def test_what_changes_too_much_is_not_taken() -> None:
    thin = np.zeros((80, 80), dtype=np.bool_)
    thin[40, 5:75] = True
    found = refine(rle.encode(thin), Fineness.MEDIUM, (6.0, 6.0))
    assert found.taken is Fineness.LOW
    assert (rle.decode(found.mask) == thin).all()
    specks = np.zeros((80, 80), dtype=np.bool_)
    specks[::4, ::4] = True
    found = refine(rle.encode(specks), Fineness.MEDIUM, (6.0, 6.0))
    assert found.taken is Fineness.NONE
    assert (rle.decode(found.mask) == specks).all()


def test_a_damaged_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        refine(rle.Rle((30, 40), "1"), Fineness.LOW, (4.0, 4.0))


def disc_and_picture(side: int, off: int) -> tuple[Mask, Mask, npt.NDArray[np.uint8]]:
    """A disc, a mask that lies beside it by some pixels, and a picture of the disc."""
    y, x = np.mgrid[:side, :side] - side / 2
    disc = np.hypot(y, x) < side / 4
    picture = np.where(disc[..., None], (200, 60, 40), (40, 60, 200)).astype(np.uint8)
    return disc, np.roll(disc, off, axis=1), picture


@pytest.mark.parametrize(("side", "cell"), [(200, 4.0), (700, 9.0)])
def test_high_finds_the_pictures_edge(side: int, cell: float) -> None:
    disc, beside, picture = disc_and_picture(side, round(cell / 2))
    raw = rle.encode(beside)
    medium = rle.decode(refine(raw, Fineness.MEDIUM, (cell, cell), picture).mask)
    found = refine(raw, Fineness.HIGH, (cell, cell), picture)
    high = rle.decode(found.mask)
    assert found.taken is Fineness.HIGH
    assert iou(medium, disc) < 0.98
    assert iou(high, disc) > 0.99
    # Only what lies within two windows of the outline may change.
    far = ndimage.distance_transform_edt(medium) > 5 * cell
    assert high[far].all()
    assert found.area == high.sum()
    assert found == refine(raw, Fineness.HIGH, (cell, cell), picture)


def test_high_leaves_a_mask_in_a_flat_picture_almost_as_it_was() -> None:
    _, beside, _ = disc_and_picture(200, 2)
    flat = np.full((200, 200, 3), 90, dtype=np.uint8)
    found = refine(rle.encode(beside), Fineness.HIGH, (4.0, 4.0), flat)
    assert iou(rle.decode(found.mask), beside) > 0.97


def test_high_at_the_edge_keeps_touching_it() -> None:
    mask = np.zeros((90, 120), dtype=np.bool_)
    mask[40:, :60] = True
    picture = np.where(mask[..., None], 220, 30).astype(np.uint8) * np.ones(3, dtype=np.uint8)
    found = refine(rle.encode(mask), Fineness.HIGH, (3.0, 3.0), picture)
    assert found.taken is Fineness.HIGH
    assert found.box == (0, 40, 60, 90)


def test_high_that_changes_too_much_leaves_medium() -> None:
    """A thin bar beside a strong edge: the picture would move it by as much as it is wide."""
    mask = np.zeros((120, 120), dtype=np.bool_)
    mask[20:100, 50:62] = True
    picture = np.zeros((120, 120, 3), dtype=np.uint8)
    picture[:, 56:] = 255
    found = refine(rle.encode(mask), Fineness.HIGH, (8.0, 8.0), picture)
    assert found.taken is Fineness.MEDIUM
    assert found == refine(rle.encode(mask), Fineness.MEDIUM, (8.0, 8.0))


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="not that of a mask"):
        refine(rle.empty((9, 9)), Fineness.HIGH, (1, 1), np.zeros((9, 8, 3), dtype=np.uint8))

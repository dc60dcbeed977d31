from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from maskpool import rle
from workers.models.sam3 import mask_to_rle as rules
from workers.models.sam3.mask_to_rle import masks_to_rle


def noise(count: int, height: int, width: int, seed: int) -> torch.Tensor:
    """Probabilities that cross one half everywhere: the worst case."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, height, width, generator=generator)


def enlarged(maps: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    return functional.interpolate(maps[None], size, mode="bilinear")[0].numpy()


def masks_of(maps: torch.Tensor, sizes: list[tuple[int, int]]) -> list[np.ndarray]:
    masks = [np.zeros(size, dtype=bool) for size in sizes]
    for one in masks_to_rle(maps, sizes):
        masks[one.place] = rle.decode(one.mask)
    return masks


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=4),
    st.tuples(st.integers(2, 30), st.integers(2, 30)),
    st.integers(0, 2**31),
)
def test_the_masks_are_those_of_enlarging_every_pixel(
    sizes: list[tuple[int, int]], cells: tuple[int, int], seed: int
) -> None:
    maps = noise(len(sizes), *cells, seed)

    masks = masks_of(maps, sizes)

    for place, size in enumerate(sizes):
        values = enlarged(maps[place : place + 1], size)[0]
        # A value of one half to the last bits may fall on either side.
        sure = np.abs(values - 0.5) > 1e-5
        assert ((values > 0.5) == masks[place])[sure].all()


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(2, 20), st.integers(2, 20)),
    st.integers(0, 2**31),
)
def test_text_and_box_are_those_of_the_mask(
    size: tuple[int, int], cells: tuple[int, int], seed: int
) -> None:
    for one in masks_to_rle(noise(3, *cells, seed), [size] * 3):
        assert one.mask == rle.encode(rle.decode(one.mask))
        assert one.box_xyxy == rle.box_xyxy(rle.to_runs(one.mask))


@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_all_or_nothing(fill: float) -> None:
    found = masks_to_rle(torch.full((2, 6, 8), fill), [(30, 50), (7, 3)])

    if fill <= 0.5:
        assert found == []
    else:
        assert [rle.area(one.mask) for one in found] == [30 * 50, 7 * 3]
        assert [one.box_xyxy for one in found] == [(0, 0, 50, 30), (0, 0, 3, 7)]


def test_a_pixel_of_exactly_one_half_is_outside() -> None:
    """At the map's own size pixels stand on cells, and quarters are exact."""
    maps = torch.randint(0, 5, (6, 9, 7), generator=torch.Generator().manual_seed(1)) / 4

    masks = masks_of(maps, [(9, 7)] * 6)

    assert (np.stack(masks) == (maps > 0.5).numpy()).all()


def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, sizes = noise(7, 12, 12, 3), [(40, 30), (9, 90), (64, 64)] * 2 + [(1, 1)]
    maps[2] = 0.1  # nothing in one of them
    whole = masks_to_rle(maps, sizes)

    monkeypatch.setattr(rules, "_MAX_CELLS", 500)

    assert masks_to_rle(maps, sizes) == whole
    assert {one.place for one in whole} >= {0, 1, 3, 4, 5}


def test_no_maps_no_masks() -> None:
    assert masks_to_rle(torch.zeros(0, 4, 4), []) == []

"""Comparing many masks at once gives what comparing their pixels one by one gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskpool import rivals, rle
from maskpool.rivals import Crowd

sides = st.integers(1, 12)


@st.composite
def images(draw: st.DrawFn, most: int = 6) -> list[np.ndarray]:
    shape = draw(st.tuples(sides, sides))
    return draw(st.lists(hnp.arrays(np.bool_, shape), min_size=1, max_size=most))


def crowd_of(masks: list[np.ndarray]) -> Crowd:
    return Crowd([rle.to_runs(rle.encode(mask)) for mask in masks])


@given(images())
def test_boxes_and_areas_are_those_of_each_mask(masks: list[np.ndarray]) -> None:
    crowd = crowd_of(masks)
    assert crowd.areas.tolist() == [mask.sum() for mask in masks]
    assert [tuple(box) for box in crowd.boxes_xyxy.tolist()] == [
        rle.box_xyxy(runs) for runs in crowd.masks
    ]


@given(images())
def test_common_pixels_are_counted_and_bounded(masks: list[np.ndarray]) -> None:
    crowd = crowd_of(masks)
    solid = np.flatnonzero(crowd.areas)
    most = crowd.most_common(solid, solid)
    for row, one in enumerate(solid):
        expected = [int((masks[one] & masks[other]).sum()) for other in solid]
        assert crowd.common(int(one), solid).tolist() == expected
        assert (most[row] >= expected).all()


@given(st.data())
def test_the_strongest_rival_is_the_one_that_a_loop_over_all_pairs_finds(
    data: st.DataObject,
) -> None:
    masks = data.draw(images())
    crowd, every = crowd_of(masks), np.arange(len(masks))
    allowed = data.draw(hnp.arrays(np.bool_, (every.size, every.size)))
    least = data.draw(st.sampled_from([0.0, 0.5]))
    weights = data.draw(hnp.arrays(np.float64, every.size, elements=st.sampled_from([0.3, 0.5, 1])))
    expected = {}
    for one in every:
        pairs = [
            (rle.iou(crowd.masks[one], crowd.masks[other]) * weights[other], -int(other))
            for other in every
            if allowed[one, other]
        ]
        best = max(pairs, default=(0.0, 0))
        if best[0] > 0 and best[0] >= least:
            expected[int(one)] = (-best[1], best[0])
    found = rivals.strongest(crowd, every, every, allowed, weights=weights, least=least)
    assert {one: (other, value) for one, other, value in found} == expected


@pytest.mark.parametrize("block", [1, 2, 1_000])
def test_the_size_of_a_block_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "_BLOCK", block)
    rng = np.random.default_rng(1)
    masks = [rng.random((9, 9)) < share for share in rng.uniform(0.2, 0.9, 12)]
    masks += masks[:4]  # equal figures: the first one is taken
    crowd, every = crowd_of(masks), np.arange(len(masks))
    before = every[:, None] > every[None]
    found = {one: (other, v) for one, other, v in rivals.strongest(crowd, every, every, before)}
    for one in every[1:]:
        ious = [rle.iou(crowd.masks[one], crowd.masks[other]) for other in every[:one]]
        assert found[int(one)] == (int(np.argmax(ious)), max(ious))


def test_nothing_has_no_rival() -> None:
    none = np.zeros(0, dtype=np.int64)
    empty = crowd_of([np.zeros((3, 4), np.bool_)] * 2)
    assert list(rivals.strongest(Crowd([]), none, none, np.zeros((0, 0), np.bool_))) == []
    both = np.arange(2)
    assert list(rivals.strongest(empty, both, both, np.ones((2, 2), np.bool_))) == []

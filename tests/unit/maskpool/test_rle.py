"""Our run-length coding agrees with pycocotools, whatever the mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from maskpool import rle
from maskpool.rle import Rle

#: pycocotools sets an array's shape, which NumPy 2 does not like.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

sides = st.integers(1, 12)
some_masks = hnp.arrays(np.bool_, st.tuples(sides, sides))


def stripes(height: int, width: int, period: int) -> np.ndarray:
    return (np.arange(height * width) // period % 2 == 1).reshape(width, height).T


#: Noise alone has only short runs; stripes wrap from one column's foot into the next one's head.
masks = some_masks | st.builds(stripes, sides, sides, st.integers(1, 40))


def theirs(mask: np.ndarray) -> dict[str, object]:
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


def as_theirs(ours: Rle) -> dict[str, object]:
    return {"size": list(ours.size), "counts": ours.counts.encode()}


@given(masks)
def test_encode_writes_the_very_string_of_pycocotools(mask: np.ndarray) -> None:
    ours = rle.encode(mask)
    assert as_theirs(ours) == theirs(mask)
    assert ours.size == mask.shape


@given(masks)
def test_decode_reads_what_pycocotools_wrote(mask: np.ndarray) -> None:
    written = theirs(mask)
    decoded = rle.decode(Rle(mask.shape, written["counts"].decode()))
    assert decoded.dtype == np.bool_
    np.testing.assert_array_equal(decoded, mask)
    np.testing.assert_array_equal(coco.decode(as_theirs(rle.encode(mask))).astype(bool), decoded)


@given(masks)
def test_area_and_box_are_those_of_the_pixels(mask: np.ndarray) -> None:
    encoded = rle.encode(mask)
    assert rle.area(encoded) == coco.area(as_theirs(encoded)) == mask.sum()
    box = rle.box_xyxy(rle.to_runs(encoded))
    if not mask.any():
        assert box == (0, 0, 0, 0)
        return
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    assert box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    x, y, width, height = coco.toBbox(as_theirs(encoded))
    # pycocotools takes every run that touches a column's end for one of full height.
    assert (x, x + width) == (box[0], box[2])
    assert y <= box[1]
    assert box[3] <= y + height


@given(st.data())
def test_intersection_and_iou_are_those_of_the_pixels(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(sides, sides))
    a, b = (data.draw(hnp.arrays(np.bool_, shape)) for _ in range(2))
    runs_a, runs_b = rle.to_runs(rle.encode(a)), rle.to_runs(rle.encode(b))
    common, union = int((a & b).sum()), int((a | b).sum())
    assert rle.intersection(runs_a, runs_b) == rle.intersection(runs_b, runs_a) == common
    assert rle.iou(runs_a, runs_b) == (common / union if union else 0.0)
    if union:
        [[their_iou]] = coco.iou([theirs(a)], [theirs(b)], [0])
        assert rle.iou(runs_a, runs_b) == pytest.approx(their_iou)


@given(st.data())
def test_a_union_holds_the_pixels_of_all(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(sides, sides))
    several = data.draw(st.lists(hnp.arrays(np.bool_, shape), min_size=1, max_size=5))
    together = rle.union([rle.to_runs(rle.encode(mask)) for mask in several])
    np.testing.assert_array_equal(
        rle.decode(rle.from_runs(together)), np.logical_or.reduce(several)
    )
    assert as_theirs(rle.from_runs(together)) == coco.merge([theirs(mask) for mask in several])


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((3, 4), np.bool_),
        np.ones((3, 4), np.bool_),
        np.ones((1, 1), np.bool_),
        np.zeros((1, 1), np.bool_),
        np.ones((1, 7), np.bool_),
        np.ones((7, 1), np.bool_),
        np.arange(9)[None] % 2 == 0,
        np.arange(9)[:, None] % 2 == 1,
        np.eye(5, dtype=np.bool_),
        np.ones((5, 5), np.bool_)[::-1].T,
    ],
)
def test_edge_masks(mask: np.ndarray) -> None:
    ours = rle.encode(mask)
    assert as_theirs(ours) == theirs(mask)
    np.testing.assert_array_equal(rle.decode(ours), mask)


@pytest.mark.parametrize("pixel", [0, 1, 30_000 * 20_000 - 1, 2**28])
def test_large_images_keep_their_counts(pixel: int) -> None:
    size = (30_000, 20_000)
    column, row = divmod(pixel, size[0])
    one = rle.from_runs(rle.Runs(size, np.array([pixel]), np.array([pixel + 1])))
    assert coco.toBbox(as_theirs(one)).tolist() == [column, row, 1, 1]
    runs = rle.to_runs(one)
    assert (runs.starts.tolist(), runs.ends.tolist()) == ([pixel], [pixel + 1])
    assert (rle.area(one), rle.box_xyxy(runs)) == (1, (column, row, column + 1, row + 1))


@given(st.lists(st.integers(1, 2**20), min_size=1, max_size=20))
def test_any_counts_survive(counts: list[int]) -> None:
    total = sum(counts)
    bounds = np.cumsum(counts)
    ends = bounds[1::2]
    runs = rle.Runs((total, 1), bounds[0::2][: ends.size], ends)
    again = rle.to_runs(rle.from_runs(runs))
    np.testing.assert_array_equal(again.starts, runs.starts)
    np.testing.assert_array_equal(again.ends, runs.ends)
    assert coco.area(as_theirs(rle.from_runs(runs))) == runs.area


def test_counts_of_zero_in_the_middle_are_no_runs() -> None:
    # 2 background, 1 foreground, 0 background, 1 foreground, 0 … : legal, if nobody writes it so.
    odd = rle._compress(np.array([2, 1, 0, 1, 1, 0, 1]))
    decoded = rle.decode(Rle((6, 1), odd))
    assert decoded[:, 0].tolist() == [False, False, True, True, False, False]
    assert rle.area(Rle((6, 1), odd)) == 2


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ("", "add up to 2×3"),
        ("5", "add up to 2×3"),
        ("7", "add up to 2×3"),
        ("3é", "alphabet"),
        ("3 3", "alphabet"),
        ("3\x7f", "alphabet"),
        ("3p", "alphabet"),
        ("3P", "middle of a number"),
        ("PPPPPPP1", "more than 35 bits"),
        ("7O", "add up to 2×3"),  # 7 and then −1
    ],
)
def test_bad_counts_are_refused(counts: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        rle.decode(Rle((2, 3), counts))


@pytest.mark.parametrize("count", [2**62, 2**63 - 1, -(2**62), 7])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_counts_that_wrap_round_are_refused(count: int, times: int) -> None:
    counts = np.array([count] * times + [6], dtype=np.int64)
    with pytest.raises(ValueError, match="add up to 2×3"):
        rle.runs_of_counts(counts, (2, 3))


@given(st.text(st.characters(max_codepoint=0x7F), max_size=12))
@settings(max_examples=300)
def test_any_string_is_a_mask_or_a_value_error(counts: str) -> None:
    try:
        mask = rle.decode(Rle((3, 5), counts))
    except ValueError:
        return
    assert mask.shape == (3, 5)
    assert rle.area(Rle((3, 5), counts)) == mask.sum()

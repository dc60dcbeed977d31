from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from maskpool import rle
from maskpool.domain import MAX_INSTANCES_PER_PROMPT, SCORE_FLOOR, Found
from workers.models.sam3.postprocess import Pair, found_in_rows, kept_queries, scores_of


def read_out(pairs: list[Pair], scores: np.ndarray, logits: torch.Tensor) -> list[list[Found]]:
    """As the segmenter does it, of masks (rows, queries, h, w)."""
    kept = kept_queries(scores)
    drawn = torch.stack([logits[place] for place in kept])
    return found_in_rows(pairs, scores, kept, drawn)


def blobs(count: int, height: int, width: int, seed: int) -> torch.Tensor:
    """Mask logits with smooth blobs of many sizes, (count, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = torch.rand(count, 2, 1, 1, generator=generator) * torch.tensor([height, width]).view(
        2, 1, 1
    )
    radius = torch.rand(count, 1, 1, generator=generator) * height / 2 + 0.3
    distance = ((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2).sqrt()
    ripple = torch.randn(count, height, width, generator=generator) * 0.3
    return (radius - distance) * 2 + ripple


def published_masks(logits: torch.Tensor, size: tuple[int, int]) -> np.ndarray:
    resized = functional.interpolate(
        logits.sigmoid()[None], size=size, mode="bilinear", align_corners=False
    )[0]
    return (resized > 0.5).numpy()


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.tuples(st.integers(2, 60), st.integers(2, 60)),
    st.integers(0, 2**31),
)
def test_masks_are_those_of_resizing_everything(
    size: tuple[int, int], cells: tuple[int, int], seed: int
) -> None:
    logits = blobs(6, *cells, seed)
    scores = np.linspace(0.9, 0.4, 6, dtype=np.float32)[None]

    (found,) = read_out([Pair(0, 3, size, 0)], scores, logits[None])

    expected = {
        round(float(score), 4): mask
        for score, mask in zip(scores[0], published_masks(logits, size), strict=True)
        if mask.any()
    }
    mine = {round(one.score, 4): rle.decode(one.mask) for one in found}
    # A pixel whose probability is one half to the last bit may fall on either side.
    for score in expected.keys() | mine.keys():
        blank = np.zeros(size, dtype=bool)
        wrong = (expected.get(score, blank) != mine.get(score, blank)).sum()
        assert wrong <= max(1, 1e-4 * size[0] * size[1])


@pytest.mark.parametrize("size", [(3000, 4000), (480, 640), (97, 1201)])
def test_masks_are_the_same_at_the_sizes_of_photographs(size: tuple[int, int]) -> None:
    logits = blobs(3, 288, 288, 11)

    (found,) = read_out([Pair(0, 0, size, 0)], np.ones((1, 3), dtype=np.float32), logits[None])

    masks = np.stack([rle.decode(one.mask) for one in found])
    assert (masks != published_masks(logits, size)).mean() < 1e-6


def test_boxes_are_tight_and_absolute() -> None:
    logits = torch.full((1, 1, 8, 8), -9.0)
    logits[0, 0, 2:4, 5:8] = 9.0

    ((found,),) = read_out([Pair(0, 1, (80, 160), 0)], np.ones((1, 1), np.float32), logits)

    mask = rle.decode(found.mask)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert found.box_xyxy == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert found.box_xyxy == (100.0, 20.0, 160.0, 40.0)
    assert found.prompt_index == 1


def test_only_what_scores_is_touched_and_the_best_come_first() -> None:
    logits = torch.full((2, 4, 6, 6), 5.0)
    logits[0, 1] = torch.nan  # below the floor: never looked at
    scores = np.array([[0.3, 0.04, SCORE_FLOOR, 0.8], [0.0, 0.0, 0.0, 0.01]], dtype=np.float32)

    found = read_out([Pair(0, 0, (9, 9), 0), Pair(0, 1, (9, 9), 0)], scores, logits)

    assert [one.score for one in found[0]] == pytest.approx([0.8, 0.3, SCORE_FLOOR])
    assert found[1] == []


def test_at_most_so_many_a_prompt() -> None:
    queries = MAX_INSTANCES_PER_PROMPT + 20
    scores = np.linspace(0.1, 0.9, queries, dtype=np.float32)[None]

    (found,) = read_out([Pair(0, 0, (5, 5), 0)], scores, torch.full((1, queries, 4, 4), 5.0))

    assert len(found) == MAX_INSTANCES_PER_PROMPT
    assert found[0].score == pytest.approx(0.9)
    assert found[-1].score == pytest.approx(float(scores[0, 20]))


def test_empty_masks_are_dropped() -> None:
    logits = torch.full((1, 2, 6, 6), -5.0)
    logits[0, 1, 3, 3] = 5.0

    (found,) = read_out([Pair(0, 0, (60, 60), 0)], np.ones((1, 2), np.float32), logits)

    assert len(found) == 1


def test_a_mask_that_falls_between_the_pixels_of_a_small_image_is_dropped() -> None:
    logits = torch.full((1, 1, 64, 64), -5.0)
    logits[0, 0, 0, 0] = 5.0

    assert read_out([Pair(0, 0, (4, 4), 0)], np.ones((1, 1), np.float32), logits) == [[]]


def test_scores_are_class_times_presence() -> None:
    scores, presence = scores_of(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0]]))

    sigmoid = [1 / (1 + np.exp(-value)) for value in (0.0, 2.0, 1.0)]
    np.testing.assert_allclose(
        scores, [[sigmoid[0] * sigmoid[2], sigmoid[1] * sigmoid[2]]], rtol=1e-6
    )
    np.testing.assert_allclose(presence, [sigmoid[2]], rtol=1e-6)

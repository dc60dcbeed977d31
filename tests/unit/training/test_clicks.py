"""Clicks and boxes as a person gives them: inside, where it is wrong, and not quite exact."""

from __future__ import annotations

import pytest
import torch

from training.clicks import Prompts, click_inside, correct, jitter

SIDE, GRID = 160, 64


@pytest.fixture
def masks() -> torch.Tensor:
    """A square, a thin bar, and a single cell in the last corner."""
    masks = torch.zeros(3, GRID, GRID)
    masks[0, 10:30, 20:40] = 1
    masks[1, 50, :] = 1
    masks[2, -1, -1] = 1
    return masks


def cells(points: torch.Tensor) -> torch.Tensor:
    return (points / SIDE * GRID).long()


@pytest.mark.parametrize("deep", [False, True])
def test_clicks_lie_on_the_visible_part(masks: torch.Tensor, deep: bool) -> None:
    torch.manual_seed(0)
    for _ in range(30):
        points = click_inside(masks, SIDE, deep=deep)
        assert points.shape == (3, 2)
        assert (points >= 0).all()
        assert (points <= SIDE).all()
        for row, (x, y) in enumerate(cells(points).tolist()):
            assert masks[row, y, x] == 1


def test_deep_clicks_keep_off_the_edge(masks: torch.Tensor) -> None:
    torch.manual_seed(0)
    square = masks[:1].expand(200, -1, -1)
    middle = torch.tensor([30.0, 20.0]) * SIDE / GRID
    apart = [
        float((click_inside(square, SIDE, deep=deep) - middle).norm(dim=1).mean())
        for deep in (False, True)
    ]
    assert apart[1] < apart[0]


def test_what_was_missed_gets_a_positive_click_and_what_was_mistaken_a_negative_one(
    masks: torch.Tensor,
) -> None:
    torch.manual_seed(0)
    logits = 8 * masks - 4
    logits[0, 10:30, 20:24] = -4  # missed
    logits[1, 40:44, 5:9] = 4  # taken for it
    for _ in range(20):
        points, labels = correct(logits, masks, SIDE)
        assert labels.tolist() == [1, 0, 1]
        (x0, y0), (x1, y1), corner = cells(points).tolist()
        assert 20 <= x0 < 24
        assert 10 <= y0 < 30
        assert 5 <= x1 < 9
        assert 40 <= y1 < 44
        assert corner == [GRID - 1, GRID - 1]  # nothing is wrong: once more inside


def test_an_edge_is_nobody_s_mistake() -> None:
    masks = torch.zeros(1, GRID, GRID)
    masks[0, 10:20, 10:20] = 1
    masks[0, 20, 10:20] = 0.5
    points, labels = correct(torch.where(masks > 0.6, 4.0, -4.0), masks, SIDE)
    assert labels.tolist() == [1]
    assert masks[0, cells(points)[0, 1], cells(points)[0, 0]] == 1


def test_boxes_move_a_little_and_stay_in_the_picture() -> None:
    torch.manual_seed(0)
    boxes = torch.tensor([[0.0, 0.0, 40.0, 20.0], [100.0, 60.0, 160.0, 160.0]]).repeat(100, 1)
    moved = jitter(boxes, SIDE)
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    assert ((moved - boxes).abs() <= 0.1 * size + 1e-4).all()
    assert (moved != boxes).any(1).all()
    assert (moved >= 0).all()
    assert (moved <= SIDE).all()


def test_clicks_are_added_one_by_one() -> None:
    one = Prompts(boxes=torch.zeros(2, 4)).with_click(torch.zeros(2, 2), torch.tensor([1, 1]))
    two = one.with_click(torch.ones(2, 2), torch.tensor([0, 1]))
    assert two.points is not None
    assert two.labels is not None
    assert two.boxes is not None
    assert two.points.shape == (2, 2, 2)
    assert two.labels.tolist() == [[1, 0], [1, 1]]
    assert two.points[:, 1].eq(1).all()

"""Masks of tiles and of the whole view, made one list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskpool import rle
from maskpool.tiling.join import Joined, Seen, join
from maskpool.tiling.placing import placed, rectangle
from maskpool.tiling.plan import Plan, Tile, cut
from maskpool.tiling.record import Why

#: An image of 160 × 280 pixels in 1 × 3 tiles of 160, which start at 0, 60 and 120.
SIZE = (160, 280)
PLAN = Plan(160, 0.5, cut(SIZE, 160, 0.5), Why.ASKED)


def seen(box: Tile, tile: int | None, score: float = 0.9) -> Seen:
    """A box as one tile shows it, or the whole view."""
    inside = box if tile is None else box.shared(PLAN.tiles[tile])
    assert inside is not None, "the tile shows nothing of it"
    return Seen(score, rectangle(inside, SIZE), tile)


def boxes(masks: list[Joined]) -> list[tuple[int, ...]]:
    return [rle.box_xyxy(one.runs) for one in masks]


def test_the_plan_is_what_the_tests_think() -> None:
    assert [tile.left for tile in PLAN.tiles] == [0, 60, 120]


def test_an_object_across_a_seam_is_the_union_of_its_parts() -> None:
    long = Tile(20, 50, 260, 90)

    [one] = join([seen(long, tile, score) for tile, score in ((0, 0.9), (1, 0.7), (2, 0.8))], PLAN)

    assert rle.box_xyxy(one.runs) == (20, 50, 260, 90)
    assert one.runs.area == 240 * 40
    # Each of them shows more than half of it.
    assert one.score == pytest.approx((0.9 + 0.8) / 2)


def test_parts_on_both_sides_of_a_hole_are_held_together_by_what_lies_between() -> None:
    long = Tile(20, 50, 260, 90)

    # The part in the middle comes last, and its neighbours share 40 pixels' width.
    masks = join([seen(long, 0, 0.9), seen(long, 2, 0.8), seen(long, 1, 0.6)], PLAN)

    assert boxes(masks) == [(20, 50, 260, 90)]


def test_a_tile_that_shows_all_of_an_object_goes_before_those_that_cut_it() -> None:
    thing = Tile(100, 40, 190, 80)

    masks = join([seen(thing, 0, 0.95), seen(thing, 1, 0.6)], PLAN)

    assert boxes(masks) == [(100, 40, 190, 80)]
    assert masks[0].score == pytest.approx((0.95 + 0.6) / 2)


def test_an_object_that_two_tiles_show_whole_is_there_once() -> None:
    thing = Tile(80, 40, 130, 80)

    masks = join([seen(thing, 0, 0.8), seen(Tile(82, 40, 132, 80), 1, 0.6)], PLAN)

    assert boxes(masks) == [(80, 40, 130, 80)]
    assert masks[0].score == pytest.approx((0.8 + 0.7) / 2)


def test_what_one_of_two_tiles_does_not_find_scores_less() -> None:
    [one] = join([seen(Tile(80, 40, 130, 80), 0, 0.8)], PLAN)
    assert one.score == pytest.approx((0.8 + 0.4) / 2)


def test_a_sliver_at_a_seam_that_the_next_tile_does_not_find_is_nothing() -> None:
    assert join([seen(Tile(140, 40, 190, 80), 0, 0.9)], PLAN) == []


def test_neighbours_that_only_touch_stay_apart() -> None:
    left, right = Tile(80, 40, 105, 80), Tile(105, 40, 140, 80)

    masks = join([seen(left, 0), seen(right, 0), seen(left, 1), seen(right, 1)], PLAN)

    assert sorted(boxes(masks)) == [(80, 40, 105, 80), (105, 40, 140, 80)]


def test_masks_of_one_tile_are_left_to_the_reading_rule() -> None:
    thing = Tile(10, 40, 50, 80)
    masks = join([seen(thing, 0, 0.9), seen(thing, 0, 0.4)], PLAN)
    assert [one.score for one in masks] == [0.9, 0.4]


def test_a_weak_guess_across_a_seam_adds_no_pixel_to_a_good_one() -> None:
    good, guess = Tile(90, 40, 160, 80), Tile(60, 40, 220, 90)

    masks = join([seen(good, 0, 0.9), seen(guess, 1, 0.2)], PLAN)

    assert all(box[3] <= 90 for box in boxes(masks))
    assert boxes(masks)[:1] in ([(90, 40, 160, 80)], [])


def test_the_whole_view_contributes_large_objects_only() -> None:
    small, large = Tile(10, 10, 90, 60), Tile(10, 70, 91, 120)
    masks = join([seen(small, None), seen(large, None)], PLAN)
    assert boxes(masks) == [(10, 70, 91, 120)]
    assert masks[0].score == 0.9


def test_parts_within_a_large_object_of_the_whole_view_go() -> None:
    large = Tile(5, 10, 275, 150)
    fragment = Seen(0.5, rectangle(Tile(60, 10, 100, 60), SIZE), 1)
    assert boxes(join([seen(large, None), fragment], PLAN)) == [(5, 10, 275, 150)]
    # An object that a tile shows whole is one of its own: a wheel on a car.
    whole = Seen(0.5, rectangle(Tile(10, 20, 50, 60), SIZE), 0)
    assert len(join([seen(large, None), whole], PLAN)) == 2


def test_a_large_object_that_tiles_have_is_theirs_with_the_better_score() -> None:
    long = Tile(20, 50, 260, 90)
    parts = [seen(long, tile, 0.5) for tile in range(3)]

    [one] = join([*parts, seen(Tile(18, 48, 262, 92), None, 0.9)], PLAN)

    assert rle.box_xyxy(one.runs) == (20, 50, 260, 90)
    assert one.score == 0.9


def test_a_crowd_that_the_whole_view_takes_for_one_object_is_left_out() -> None:
    first, second = Tile(10, 20, 55, 70), Tile(180, 20, 270, 70)
    crowd = Tile(10, 20, 270, 70)
    parts = [Seen(0.9, rectangle(first, SIZE), 0), Seen(0.9, rectangle(second, SIZE), 2)]
    assert len(join([*parts, seen(crowd, None)], PLAN)) == 2


def test_nothing_seen_is_nothing() -> None:
    assert join([], PLAN) == []


@st.composite
def scattered(draw: st.DrawFn) -> tuple[list[Tile], Plan, tuple[int, int]]:
    """Boxes that do not touch, one in a cell of 40 pixels, and a plan."""
    columns, rows = draw(st.integers(2, 9)), draw(st.integers(1, 6))
    size = (40 * rows, 40 * columns)
    things = []
    for cell in draw(st.sets(st.integers(0, rows * columns - 1), max_size=12)):
        left, top = 40 * (cell % columns) + 3, 40 * (cell // columns) + 3
        wide, tall = draw(st.integers(8, 34)), draw(st.integers(8, 34))
        things.append(Tile(left, top, left + wide, top + tall))
    side = draw(st.integers(80, 200))
    # An object fits into the overlap, so some tile shows all of it.
    plan = Plan(side, 0.5, cut(size, side, 0.5), Why.ASKED)
    return things, plan, size


@settings(max_examples=60)
@given(scattered(), st.randoms(use_true_random=False))
def test_perfect_views_give_every_object_once_and_exactly(
    drawn: tuple[list[Tile], Plan, tuple[int, int]], shuffled: object
) -> None:
    things, plan, size = drawn
    views = []
    for place, tile in enumerate(plan.tiles):
        for thing in things:
            if part := thing.shared(tile):
                moved = Tile(
                    *(part.left - tile.left, part.top - tile.top),
                    *(part.right - tile.left, part.bottom - tile.top),
                )
                small = rectangle(moved, (tile.height, tile.width))
                views.append(Seen(0.9, placed(small, tile, size), place))
    shuffled.shuffle(views)  # type: ignore[attr-defined]

    masks = join(views, plan)

    assert sorted(boxes(masks)) == sorted(
        (one.left, one.top, one.right, one.bottom) for one in things
    )
    assert all(one.runs.area == np.prod(_sides(one)) for one in masks)
    assert all(one.score == pytest.approx(0.9) for one in masks)


def _sides(one: Joined) -> tuple[int, int]:
    left, top, right, bottom = rle.box_xyxy(one.runs)
    return right - left, bottom - top

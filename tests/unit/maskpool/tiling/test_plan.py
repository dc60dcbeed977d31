"""How an image is cut into tiles, and whether it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import ImageError
from maskpool.tiling.asked import Tiling
from maskpool.tiling.plan import MAX_TILES, Tile, cut, decide
from maskpool.tiling.record import Why


@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    side=st.integers(64, 300),
    overlap=st.floats(0, 0.5),
)
def test_tiles_cover_every_pixel_and_overlap_as_asked(
    height: int, width: int, side: int, overlap: float
) -> None:
    try:
        tiles = cut((height, width), side, overlap)
    except ImageError:  # some slivers, cut into squares of a pixel
        assert min(height, width) < 8
        return
    seen = np.zeros((height, width), dtype=np.int32)
    for tile in tiles:
        assert 0 <= tile.left < tile.right <= width
        assert 0 <= tile.top < tile.bottom <= height
        seen[tile.top : tile.bottom, tile.left : tile.right] += 1
    assert (seen > 0).all()
    assert len(set(tiles)) == len(tiles)
    assert len({(tile.width, tile.height) for tile in tiles}) == 1
    [wide, tall] = tiles[0].width, tiles[0].height
    assert max(wide, tall) <= side
    assert max(wide, tall) <= 2 * min(wide, tall)
    for first, second in pairwise(tiles):
        if first.top == second.top:
            assert first.right - second.left >= int(overlap * wide) - 1


def test_a_100_megapixel_image_is_169_tiles_of_the_published_side() -> None:
    assert len(cut((10_000, 10_000), 1_008, 0.25)) == 169


def test_a_panorama_lower_than_a_tile_is_cut_into_tiles_not_too_flat() -> None:
    tiles = cut((500, 4_000), 1_008, 0.25)
    assert {(tile.width, tile.height) for tile in tiles} == {(1_000, 500)}
    assert tiles[0] == Tile(0, 0, 1_000, 500)
    assert tiles[-1].right == 4_000


def test_more_tiles_than_a_device_should_spend_on_one_image_are_refused() -> None:
    with pytest.raises(ImageError, match=r"cut into 43,264 tiles of 64 pixels, and 4,096 are"):
        cut((10_000, 10_000), 64, 0.25)
    assert len(cut((10_000, 10_000), 208, 0.25)) <= MAX_TILES


@pytest.mark.parametrize(
    ("asked", "size", "things", "why", "cuts"),
    [
        ("auto", (1_000, 2_016), True, Why.SMALL, False),
        ("auto", (1_000, 2_017), True, Why.LARGE, True),
        ("auto", (4_000, 6_000), False, Why.REGIONS, False),
        (Tiling(), (1_008, 1_008), True, Why.SMALL, False),
        (Tiling(), (1_008, 1_009), True, Why.ASKED, True),
        (Tiling(), (4_000, 6_000), False, Why.REGIONS, False),
    ],
)
def test_whether_an_image_is_cut(
    asked: object, size: tuple[int, int], things: bool, why: Why, cuts: bool
) -> None:
    plan = decide(asked, size, 1_008, things=things)  # type: ignore[arg-type]
    assert (plan.why, bool(plan.tiles)) == (why, cuts)
    assert plan.side == 1_008


def test_a_side_that_the_batch_names_goes_before_the_models() -> None:
    plan = decide(Tiling(size=512, overlap=0.0), (1_024, 1_024), 1_008, things=True)
    assert (plan.side, len(plan.tiles)) == (512, 4)

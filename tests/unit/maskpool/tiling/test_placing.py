"""A tile's mask as one of the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool import rle
from maskpool.tiling.placing import pixels_in, placed, rectangle
from maskpool.tiling.plan import Tile


@given(data=st.data(), height=st.integers(1, 12), width=st.integers(1, 12))
def test_placing_is_what_it_is_on_pixels(data: st.DataObject, height: int, width: int) -> None:
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    tile = Tile(
        *(left, top),
        data.draw(st.integers(left + 1, width)),
        data.draw(st.integers(top + 1, height)),
    )
    pixels = data.draw(st.integers(0, 2 ** (tile.width * tile.height) - 1))
    flat = [bool(pixels >> place & 1) for place in range(tile.width * tile.height)]
    small = np.array(flat, dtype=np.bool_).reshape(tile.height, tile.width)
    whole = np.zeros((height, width), dtype=np.bool_)
    whole[tile.top : tile.bottom, tile.left : tile.right] = small

    runs = placed(rle.to_runs(rle.encode(small)), tile, (height, width))

    # Byte for byte: a run that ends where the next one starts would be another RLE.
    assert rle.from_runs(runs) == rle.encode(whole)
    other = Tile(0, 0, data.draw(st.integers(1, width)), data.draw(st.integers(1, height)))
    assert pixels_in(runs, other) == whole[: other.bottom, : other.right].sum()


def test_a_rectangle_of_whole_columns_is_one_run() -> None:
    assert rectangle(Tile(1, 0, 3, 4), (4, 5)).starts.tolist() == [4]


@pytest.mark.parametrize("tile", [Tile(0, 0, 3, 2), Tile(4, 0, 6, 2), Tile(-1, 0, 1, 2)])
def test_a_mask_of_another_size_or_outside_the_image_is_refused(tile: Tile) -> None:
    with pytest.raises(ValueError, match="cannot be placed"):
        placed(rle.to_runs(rle.empty((2, 2))), tile, (5, 5))

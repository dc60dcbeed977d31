from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from small_models import scene

from workers.models.pixels import Squares, _interpolate, resize, upload

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [(480, 640), (97, 300), (40, 30)])
@pytest.mark.parametrize(
    ("mode", "filter_"),
    [("bilinear", PillowImage.Resampling.BILINEAR), ("bicubic", PillowImage.Resampling.BICUBIC)],
)
def test_resizing_is_pillows_within_rounding(
    size: tuple[int, int], mode: str, filter_: PillowImage.Resampling
) -> None:
    image = scene(*size, seed=1)

    mine = resize(upload(image, CPU), (96, 96), mode)[0].permute(1, 2, 0).numpy()

    expected = np.asarray(PillowImage.fromarray(image).resize((96, 96), filter_))
    difference = np.abs(mine.astype(int) - expected.astype(int))
    assert difference.max() <= 3
    assert (difference > 1).mean() < 0.01


def test_the_way_of_other_devices_differs_by_a_level() -> None:
    pixels = upload(scene(333, 500, seed=2), CPU)

    exact = resize(pixels, (96, 96), "bilinear").float()
    other = _interpolate(pixels.float(), (96, 96), "bilinear").round_().clamp_(0, 255)

    assert (exact - other).abs().max() <= 1


def test_squares_hold_each_image_whole_and_in_order() -> None:
    images = [np.full((10, 40, 3), level, dtype=np.uint8) for level in (0, 255, 51)]

    maker = Squares(24, CPU)

    made = [maker.make(image) for image in images]
    squares = maker.stacked(made)

    assert [one.size for one in made] == [(10, 40)] * 3
    assert all(one.pixels.dtype == torch.uint8 for one in made)
    assert squares.shape == (3, 3, 24, 24)
    assert squares.dtype == torch.float32
    for square, value in zip(squares, (-1.0, 1.0, -0.6), strict=True):
        assert torch.allclose(square, torch.full_like(square, value))

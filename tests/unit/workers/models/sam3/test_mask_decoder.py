from __future__ import annotations

import pytest
import torch
from small_models import small_sam3
from torch.nn import functional

from workers.models.sam3.mask_decoder import MaskDecoder, convolved_when_enlarged, enlarging_kernel


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
def test_four_small_convolutions_are_one_of_the_enlargement(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.randn(2, 3, *size, dtype=torch.float64)
    weight = torch.randn(5, 3, 3, 3, dtype=torch.float64)

    mine = convolved_when_enlarged(values, enlarging_kernel(weight))

    enlarged = functional.interpolate(values, scale_factor=2, mode="nearest")
    torch.testing.assert_close(mine, functional.conv2d(enlarged, weight, padding=1))


@torch.inference_mode()
def test_pixels_and_masks_are_the_published_decoders() -> None:
    torch.manual_seed(2)
    model = small_sam3().double()
    decoder = MaskDecoder(model)
    finer = [torch.randn(2, 32, side, side).double() for side in (32, 16)]
    cells, text = torch.randn(2, 64, 32).double(), torch.randn(2, 32, 32).double()
    text_mask = torch.ones(2, 32, dtype=torch.bool)
    text_mask[:, 7:] = False
    queries = torch.randn(2, 12, 32).double()

    (pixels,) = decoder.pixels(cells, text, text_mask, *decoder.fine_features(*finer))
    mine = decoder.masks(pixels, queries.flatten(0, 1), [12, 12])

    published = model.mask_decoder(
        decoder_queries=queries,
        backbone_features=[*finer, torch.zeros(2, 32, 8, 8).double()],
        encoder_hidden_states=cells,
        prompt_features=text,
        prompt_mask=text_mask,
    )
    torch.testing.assert_close(mine.view(2, 12, 32, 32), published.pred_masks)

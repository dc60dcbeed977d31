"""SAM3's mask decoder over ``Sam3Model``'s own weights: what depends on the prompt, and no more.

The published decoder refines, for each prompt of an image, the same fine maps of the image: nearest
enlargement of the features under the prompt, plus the map, then a 3 × 3 convolution. A convolution
of a sum is the sum of two: that of the map is done once an image, and that of enlarged features is
four convolutions of 2 × 2 on the features before they are enlarged, since each value stands there
twice. Together they cost less than half from the second prompt on, and are the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch.nn import functional
from transformers import Sam3Model


class MaskDecoder:
    """From an image's features under a prompt to the embedding of every pixel, and to the masks.

    Args:
        model: In eval mode, with ``sdpa`` attention.
    """

    def __init__(self, model: Sam3Model) -> None:
        self._decoder = cast("Any", model).mask_decoder
        self._convolutions = tuple(self._decoder.pixel_decoder.conv_layers)
        with torch.no_grad():
            self._kernels = [enlarging_kernel(conv.weight) for conv in self._convolutions]

    def fine_features(self, *finer: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The share of pixel embeddings that depends on the image alone.

        Args:
            finer: The FPN's maps above the transformer's grid, finest first, (images, channels,
                h, w) each.

        Returns:
            The same shapes, coarsest first.
        """
        stages = zip(self._convolutions, reversed(finer), strict=False)
        return tuple(convolution(fine) for convolution, fine in stages)

    def pixels(
        self,
        cells: torch.Tensor,
        text: torch.Tensor,
        text_mask: torch.Tensor,
        *fine_features: torch.Tensor,
    ) -> tuple[torch.Tensor]:
        """The embeddings of pixels, before the projection, (rows, channels, h, w).

        Args:
            cells: The image's features conditioned on the prompt, (rows, cells, channels).
            text: Features, (rows, tokens, channels).
            text_mask: True for the tokens that are text, (rows, tokens).
            fine_features: As ``fine_features`` returns them, those of each row's image.
        """
        decoder = self._decoder
        normed = decoder.prompt_cross_attn_norm(cells)
        attention_mask = text_mask[:, None, None, :]
        cells = (
            cells + decoder.prompt_cross_attn(normed, text, text, attention_mask=attention_mask)[0]
        )
        height, width = (side // 2 for side in fine_features[0].shape[-2:])
        pixels = cells.transpose(1, 2).reshape(len(cells), -1, height, width)
        stages = zip(self._kernels, decoder.pixel_decoder.norms, fine_features, strict=False)
        for kernel, norm, fine in stages:
            summed = convolved_when_enlarged(pixels, kernel) + fine
            pixels = functional.relu(norm(summed), inplace=True)
        return (pixels,)

    def masks(
        self, pixels: torch.Tensor, queries: torch.Tensor, counts: Sequence[int]
    ) -> torch.Tensor:
        """The masks of some queries, row after row.

        The projection of the pixels is folded into the masks' embeddings: some hundred numbers a
        mask in place of as many a pixel.

        Args:
            pixels: (rows, channels, h, w).
            queries: What the masks are decoded from, (masks, channels), by row.
            counts: How many are each row's.

        Returns:
            Logits (masks, h, w).
        """
        embeddings = self._decoder.mask_embedder(queries)
        projection = self._decoder.instance_projection
        folded = embeddings @ projection.weight.flatten(1)
        offsets = embeddings @ projection.bias
        flat = pixels.flatten(2)
        drawn = [part @ flat[row] for row, part in enumerate(folded.split(list(counts)))]
        maps: torch.Tensor = torch.cat(drawn) + offsets[:, None]
        return maps.view(-1, *pixels.shape[-2:])

    def regions(self, pixels: torch.Tensor) -> torch.Tensor:
        """All that each row's prompt means as one region: the published ``semantic_seg``.

        Args:
            pixels: (rows, channels, h, w).

        Returns:
            Logits (rows, h, w).
        """
        return cast("torch.Tensor", self._decoder.semantic_projection(pixels)).squeeze(1)


def enlarging_kernel(weight: torch.Tensor) -> torch.Tensor:
    """What does to a map what a 3 × 3 convolution does to its nearest enlargement by two.

    A pixel of the enlargement sees three rows, which are two rows of the map: one once and one
    twice, so two of the three weights add up. Which two, depends on whether the pixel is the upper
    or the lower of its pair; likewise for columns. That makes four kernels of 2 × 2.

    Args:
        weight: (out, in, 3, 3).

    Returns:
        (4 · out, in, 2, 2), ordered as ``pixel_shuffle`` wants it, the lower and the right of each
        pair first.
    """

    def pairs(values: torch.Tensor, dim: int) -> torch.Tensor:
        first, middle, last = values.unbind(dim)
        lower = torch.stack([first + middle, last], dim)
        upper = torch.stack([first, middle + last], dim)
        return torch.stack([lower, upper], 1)

    by_row = pairs(weight, 2)  # (out, 2, in, 2, 3)
    by_both = pairs(by_row, 4)  # (out, 2 of columns, 2 of rows, in, 2, 2)
    return by_both.transpose(1, 2).flatten(0, 2).contiguous()


def convolved_when_enlarged(values: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """As ``conv2d(interpolate(values, scale_factor=2, mode="nearest"), weight, padding=1)``.

    Args:
        values: (n, in, h, w).
        kernel: ``enlarging_kernel(weight)``.

    Returns:
        (n, out, 2h, 2w).
    """
    # Each place of the result with padding lies between the pixels; those outside are cut off.
    shuffled = functional.pixel_shuffle(functional.conv2d(values, kernel, padding=1), 2)
    return shuffled[..., 1:-1, 1:-1]

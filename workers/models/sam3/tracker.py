"""SAM3's tracker as it draws single objects in one image, over ``Sam3TrackerModel``'s own weights.

A neck of its own reads the detector's backbone; the prompt encoder turns boxes and points into
tokens, and the mask decoder draws three candidates for each object. What remembers earlier frames
of a video is not used.

The neck is most of the work, and runs in what precision the device is best at. The rest is small
and runs in fp32: points of a large image would lose up to two pixels in bf16, and predicted IoUs
the digits that tell candidates apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from transformers import Sam3TrackerModel

from workers.models.precision import cast_weights_on_cuda


@dataclass(frozen=True, slots=True)
class ObjectFeatures:
    """The features of some images for all of their objects, float32.

    Attributes:
        cells: The transformer's grid, (images, channels, h, w).
        finer: Maps of 4 h × 4 w and of 2 h × 2 w, as the mask decoder adds them.
    """

    cells: torch.Tensor
    finer: tuple[torch.Tensor, torch.Tensor]


class Tracker:
    """Draws objects.

    Args:
        model: In eval mode; its backbone is not used.
        no_memory: Add the embedding that stands for "no earlier frame" to the grid, as SAM3's own
            code does. ``Sam3TrackerModel`` loses it with necks of four levels, so it is off until
            both ways can be compared on the published weights.
    """

    def __init__(self, model: Sam3TrackerModel, *, no_memory: bool = False) -> None:
        self._model = cast("Any", model)
        self._no_memory = no_memory
        self._layers = self._model.vision_encoder.neck.fpn_layers[:3]
        self._device: torch.device = model.device
        with torch.no_grad():
            self._position = self._model.get_image_wide_positional_embeddings()
        cast_weights_on_cuda(self._model.vision_encoder.neck, self._device)

    @property
    def side(self) -> int:
        """Of the square that boxes and points are given in, pixels."""
        return int(self._model.prompt_encoder.input_image_size)

    def encode(self, states: torch.Tensor) -> ObjectFeatures:
        """Encode images.

        Args:
            states: What the backbone says of each cell, (images, channels, h, w).
        """
        finest, middle, cells = (layer(states) for layer in self._layers)
        decoder = self._model.mask_decoder
        finer = decoder.conv_s0(finest).float(), decoder.conv_s1(middle).float()
        cells = cells.float()
        if self._no_memory:
            cells = cells + self._model.no_memory_embedding.view(1, -1, 1, 1)
        return ObjectFeatures(cells, finer)

    def draw(
        self,
        features: ObjectFeatures,
        images: torch.Tensor,
        points: torch.Tensor,
        labels: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw one object in one image for each row.

        Args:
            features: The images.
            images: Which of them each row is about, int64 (rows,).
            points: x and y in pixels of the square, float32 (rows, points, 2).
            labels: int64 (rows, points): 1 on the object, 0 beside it, 2 the upper left and 3 the
                lower right corner of its box. As many in each row: what fills up is attended to.

        Returns:
            Logits of the candidates, (rows, candidates, 4 h, 4 w), and the IoU that the model
            expects of each, (rows, candidates) in [0, 1].
        """
        with torch.autocast(self._device.type, enabled=False):
            sparse, dense = self._model.prompt_encoder(points[:, None], labels[:, None], None, None)
            masks, ious, *_ = self._model.mask_decoder(
                image_embeddings=features.cells[images],
                image_positional_embeddings=self._position.expand(len(images), -1, -1, -1),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
                high_resolution_features=[fine[images] for fine in features.finer],
            )
        return masks[:, 0], ious[:, 0]

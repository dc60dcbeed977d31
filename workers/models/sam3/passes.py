"""SAM3's passes over a micro-batch: encode images, detect prompts, decode the masks kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from transformers import Sam3Model

from workers.models.sam3.compiled import CompiledPass, Pass
from workers.models.sam3.detector import Detector
from workers.models.sam3.mask_decoder import MaskDecoder

#: Images in one pass, and prompts of images: what is compiled where anything is.
IMAGE_SIZES = (1, 2, 4, 8, 16)
ROW_SIZES = (1, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """The features of a micro-batch's images, the same for all prompts.

    Attributes:
        finer: The FPN's maps that are finer than the transformer's grid, finest first,
            (images, channels, h, w) each.
        cells: (images, cells, channels): behind the encoder's first self-attention.
        position: Encoding of the grid's cells, (1, cells, channels).
        fine_features: What the fine maps add to the pixels of every prompt, by image: (channels, h,
            w) for each level; computed when the first mask of an image is decoded.
        states: What the backbone says of each cell, (images, channels, rows, columns), which other
            necks read; None unless asked for.
    """

    finer: tuple[torch.Tensor, ...]
    cells: torch.Tensor
    position: torch.Tensor
    fine_features: dict[int, tuple[torch.Tensor, ...]] = field(default_factory=dict)
    states: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Detections:
    """What was detected in some rows, each of which is one prompt on one image.

    Attributes:
        images: Which image each row is about.
        logits: Of the classes, (rows, queries).
        presence: Logits, (rows, 1).
        queries: What the masks are drawn from, (rows, queries, channels).
        cells: The image as it looks to the prompt, (rows, cells, channels).
        text: Features, (rows, tokens, channels).
        text_mask: True for the tokens that are text, (rows, tokens).
    """

    images: tuple[int, ...]
    logits: torch.Tensor
    presence: torch.Tensor
    queries: torch.Tensor
    cells: torch.Tensor
    text: torch.Tensor
    text_mask: torch.Tensor


class Passes:
    """Everything of SAM3 behind the text encoder.

    Args:
        model: On its device, in eval mode, with ``sdpa`` attention.
        backend: Of ``torch.compile``; None runs everything as it is written.
    """

    def __init__(self, model: Sam3Model, backend: str | None = None) -> None:
        self._encoder = cast("Any", model).vision_encoder
        self._detector = Detector(model)
        self._mask_decoder = MaskDecoder(model)

        def prepared(function: Pass, sizes: tuple[int, ...]) -> Pass:
            return function if backend is None else CompiledPass(function, sizes, backend)

        self._vision = prepared(self._encode_images, IMAGE_SIZES)
        self._fine_features_of = prepared(self._mask_decoder.fine_features, IMAGE_SIZES)
        self._detect = prepared(self._detector.detect, ROW_SIZES)
        self._pixels = prepared(self._mask_decoder.pixels, ROW_SIZES)

    def _encode_images(
        self, pixels: torch.Tensor, position: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """The vision encoder, without the level and the encodings that nobody reads.

        The neck's own forward would also keep position encodings of every batch size in a cache.
        """
        return self._encode_states(self._states(pixels), position)

    def _states(self, pixels: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self._encoder.backbone(pixels).last_hidden_state
        side = self._cells_aside(pixels)
        return states.view(len(pixels), side, side, -1).permute(0, 3, 1, 2)

    def _encode_states(
        self, states: torch.Tensor, position: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        *finer, coarsest = (layer(states) for layer in self._encoder.neck.fpn_layers[:-1])
        return (self._detector.encode_images(coarsest, position), *finer)

    def _cells_aside(self, pixels: torch.Tensor) -> int:
        return int(pixels.shape[-1]) // int(self._encoder.config.backbone_config.patch_size)

    def _position(self, pixels: torch.Tensor) -> torch.Tensor:
        """The encoding of the grid's cells, in the type that the neck's maps have."""
        side, kind = self._cells_aside(pixels), pixels.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else pixels.dtype
        neck = self._encoder.neck
        shape = torch.Size((1, neck.config.fpn_hidden_size, side, side))
        encoding = neck.position_encoding(shape, pixels.device, dtype)
        return cast("torch.Tensor", encoding.flatten(2).transpose(1, 2).contiguous())

    def encode(self, pixels: torch.Tensor, *, keep_states: bool = False) -> ImageFeatures:
        """Encode images.

        Args:
            pixels: float32 (images, 3, side, side) in [-1, 1].
            keep_states: Keep what the backbone says. Such a pass is never compiled, so that the one
                of texts alone stays the graph that it is.
        """
        position = self._position(pixels)
        if not keep_states:
            cells, *finer = self._vision(pixels, position=position)
            return ImageFeatures(tuple(finer), cells, position)
        states = self._states(pixels)
        cells, *finer = self._encode_states(states, position)
        return ImageFeatures(tuple(finer), cells, position, states=states)

    def detect(
        self,
        image_features: ImageFeatures,
        images: Sequence[int],
        text: torch.Tensor,
        text_mask: torch.Tensor,
    ) -> Detections:
        """Detect one prompt in one image for each row.

        Args:
            image_features: The images.
            images: Which of them each row is about.
            text: Projected features, (rows, tokens, channels).
            text_mask: True for the tokens that are text, (rows, tokens).
        """
        cells = image_features.cells[_index(images, text.device)]
        logits, presence, queries, asked = self._detect(
            cells, text, text_mask, position=image_features.position
        )
        return Detections(tuple(images), logits, presence, queries, asked, text, text_mask)

    def decode_masks(
        self, image_features: ImageFeatures, detections: Detections, kept: Sequence[tuple[int, int]]
    ) -> torch.Tensor:
        """Decode the masks of some queries.

        Args:
            image_features: The images.
            detections: Of all rows.
            kept: Row and query of each mask, by row.

        Returns:
            Logits, (kept, h, w), h and w as the finest of the FPN's maps.
        """
        device = detections.cells.device
        of_row, of_query = zip(*kept, strict=True)
        rows = list(dict.fromkeys(of_row))
        pixels = self._pixels_of_rows(image_features, detections, rows)
        queries = detections.queries[_index(of_row, device), _index(of_query, device)]
        counts = [of_row.count(row) for row in rows]
        return self._mask_decoder.masks(pixels, queries, counts)

    def decode_regions(
        self, image_features: ImageFeatures, detections: Detections, rows: Sequence[int]
    ) -> torch.Tensor:
        """Decode all that some prompts mean as one region each.

        Args:
            image_features: The images.
            detections: Of all rows.
            rows: Those whose region is wanted.

        Returns:
            Logits, (rows, h, w), h and w as the finest of the FPN's maps.
        """
        return self._mask_decoder.regions(self._pixels_of_rows(image_features, detections, rows))

    def _pixels_of_rows(
        self, image_features: ImageFeatures, detections: Detections, rows: Sequence[int]
    ) -> torch.Tensor:
        """The embeddings of pixels under the prompts of some rows, (rows, channels, h, w)."""
        theirs = self._fine_features_of_images(
            image_features, [detections.images[row] for row in rows]
        )
        these = _index(rows, detections.cells.device)
        (pixels,) = self._pixels(
            *(part[these] for part in (detections.cells, detections.text, detections.text_mask)),
            *(torch.stack(level) for level in zip(*theirs, strict=True)),
        )
        return pixels

    def fine_features(self, finer: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """What the fine maps of images add to every prompt's pixels, coarsest first."""
        return self._fine_features_of(*finer)

    def _fine_features_of_images(
        self, image_features: ImageFeatures, images: Sequence[int]
    ) -> list[tuple[torch.Tensor, ...]]:
        """Of each, (channels, h, w) a level; made once, and only where a mask is drawn."""
        if missing := sorted(set(images) - image_features.fine_features.keys()):
            here = _index(missing, image_features.cells.device)
            made = self.fine_features([fine[here] for fine in image_features.finer])
            image_features.fine_features.update(zip(missing, zip(*made, strict=True), strict=True))
        return [image_features.fine_features[image] for image in images]


def _index(places: Sequence[int], device: torch.device) -> torch.Tensor:
    return torch.tensor(list(places), device=device)

"""SAM3's passes over a micro-batch: see images, ask prompts, draw the masks that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from transformers import Sam3Model

from workers.models.sam3.compiled import Fixed, Pass
from workers.models.sam3.detector import Head
from workers.models.sam3.mask_decoder import Drawing

#: Images in one pass, and prompts of images: what is compiled where anything is.
IMAGE_SIZES = (1, 2, 4, 8, 16)
ROW_SIZES = (1, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to say of a micro-batch's images before anything is asked.

    Attributes:
        finer: The FPN's maps that are finer than the transformer's grid, finest first,
            (images, channels, h, w) each.
        cells: (images, cells, channels): behind the encoder's first self-attention.
        position: Encoding of the grid's cells, (1, cells, channels).
        outlines: What the fine maps add to the pixels of every prompt, by image, (channels, h, w)
            a level; filled in as masks are drawn.
    """

    finer: tuple[torch.Tensor, ...]
    cells: torch.Tensor
    position: torch.Tensor
    outlines: dict[int, tuple[torch.Tensor, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """What was found for some rows, each one prompt about one image.

    Attributes:
        images: Which image each row is about.
        logits: Of the classes, (rows, queries).
        presence: Logits, (rows, 1).
        queries: What the masks are drawn from, (rows, queries, channels).
        cells: The image as it looks to the prompt, (rows, cells, channels).
        text: Features, (rows, tokens, channels).
        read: True for the tokens that are text, (rows, tokens).
    """

    images: tuple[int, ...]
    logits: torch.Tensor
    presence: torch.Tensor
    queries: torch.Tensor
    cells: torch.Tensor
    text: torch.Tensor
    read: torch.Tensor


class Passes:
    """Everything of SAM3 behind the text encoder.

    Args:
        model: On its device, in eval mode, with ``sdpa`` attention.
        backend: Of ``torch.compile``; None runs everything as it is written.
    """

    def __init__(self, model: Sam3Model, backend: str | None = None) -> None:
        self._encoder = cast("Any", model).vision_encoder
        self._head = Head(model)
        self._drawing = Drawing(model)

        def prepared(function: Pass, sizes: tuple[int, ...]) -> Pass:
            return function if backend is None else Fixed(function, sizes, backend)

        self._look = prepared(self._look_at, IMAGE_SIZES)
        self._outlines_of = prepared(self._drawing.outlines, IMAGE_SIZES)
        self._ask = prepared(self._head.ask, ROW_SIZES)
        self._pixels = prepared(self._drawing.pixels, ROW_SIZES)

    def _look_at(self, pixels: torch.Tensor, position: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The vision encoder, without the level and the encodings that nobody reads.

        The neck's own forward would also keep position encodings of every batch size in a cache.
        """
        encoder = self._encoder
        states = encoder.backbone(pixels).last_hidden_state
        side = self._cells_aside(pixels)
        grid = states.view(len(pixels), side, side, -1).permute(0, 3, 1, 2)
        *finer, coarsest = (layer(grid) for layer in encoder.neck.fpn_layers[:-1])
        return (self._head.look(coarsest, position), *finer)

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

    def see(self, pixels: torch.Tensor) -> Seen:
        """Look at images.

        Args:
            pixels: float32 (images, 3, side, side) in [-1, 1].
        """
        position = self._position(pixels)
        cells, *finer = self._look(pixels, position=position)
        return Seen(tuple(finer), cells, position)

    def ask(
        self, seen: Seen, images: Sequence[int], text: torch.Tensor, read: torch.Tensor
    ) -> Answers:
        """Look for one prompt in one image, a row each.

        Args:
            seen: The images.
            images: Which of them each row is about.
            text: Projected features, (rows, tokens, channels).
            read: True for the tokens that are text, (rows, tokens).
        """
        cells = seen.cells[_index(images, text.device)]
        logits, presence, queries, asked = self._ask(cells, text, read, position=seen.position)
        return Answers(tuple(images), logits, presence, queries, asked, text, read)

    def draw(self, seen: Seen, answers: Answers, kept: Sequence[tuple[int, int]]) -> torch.Tensor:
        """The masks of some queries.

        Args:
            seen: The images.
            answers: Of all rows.
            kept: Row and query of each mask, by row.

        Returns:
            Logits, (kept, h, w), h and w as the finest of the FPN's maps.
        """
        device = answers.cells.device
        of_row, of_query = zip(*kept, strict=True)
        rows = list(dict.fromkeys(of_row))
        theirs = self._outlines_of_images(seen, [answers.images[row] for row in rows])
        these = _index(rows, device)
        (pixels,) = self._pixels(
            *(part[these] for part in (answers.cells, answers.text, answers.read)),
            *(torch.stack(level) for level in zip(*theirs, strict=True)),
        )
        queries = answers.queries[_index(of_row, device), _index(of_query, device)]
        counts = [of_row.count(row) for row in rows]
        return self._drawing.masks(pixels, queries, counts)

    def outlines(self, finer: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """What the fine maps of images add to every prompt's pixels, coarsest first."""
        return self._outlines_of(*finer)

    def _outlines_of_images(
        self, seen: Seen, images: Sequence[int]
    ) -> list[tuple[torch.Tensor, ...]]:
        """Of each, (channels, h, w) a level; made once, and only where a mask is drawn."""
        if missing := sorted(set(images) - seen.outlines.keys()):
            here = _index(missing, seen.cells.device)
            made = self.outlines([fine[here] for fine in seen.finer])
            seen.outlines.update(zip(missing, zip(*made, strict=True), strict=True))
        return [seen.outlines[image] for image in images]


def _index(places: Sequence[int], device: torch.device) -> torch.Tensor:
    return torch.tensor(list(places), device=device)

"""SAM3's head over ``Sam3Model``'s own weights, without the work that nobody reads.

The published forward pass makes 200 masks, boxes and scores of every layer, and a semantic map for
each prompt of each image. Here, for text prompts and up to rounding the same:

* what is true of an image whatever the prompt – the first self-attention of the DETR encoder – is
  computed once an image;
* the boxes that nothing bends to any more, the scores of all layers but the last, and the semantic
  map are left out: a mask says where its instance is;
* masks are drawn of the queries that are kept, and a prompt that found nothing draws none: the
  pixel decoder is a third of the head;
* the projection of the pixels is folded into the masks' embeddings, 200 × 256 numbers in place of
  288 × 288 × 256;
* no value is read back to the host on the way: sizes are known, masks are built once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn import functional
from transformers import Sam3Model
from transformers.models.sam3.modeling_sam3 import inverse_sigmoid

#: ``Sam3DetrDecoder._get_rpb_matrix``: log2(8 |d| + 1) / log2(8) of a distance d, with its sign.
_LOG_SCALE = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """What the head reads of a micro-batch's images.

    Attributes:
        finer: The FPN's maps that are finer than the transformer's grid, finest first,
            (images, channels, h, w) each.
        tokens: (images, cells, channels): behind the encoder's first self-attention.
        position: Encoding of the grid's cells, (1, cells, channels).
        grid: Rows and columns of cells.
    """

    finer: tuple[torch.Tensor, ...]
    tokens: torch.Tensor
    position: torch.Tensor
    grid: tuple[int, int]


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
        read: True for the tokens that are text, (rows, 1, 1, tokens).
    """

    images: tuple[int, ...]
    logits: torch.Tensor
    presence: torch.Tensor
    queries: torch.Tensor
    cells: torch.Tensor
    text: torch.Tensor
    read: torch.Tensor


class Head:
    """The part of SAM3 behind the vision and text encoders.

    Args:
        model: In eval mode, with ``sdpa`` attention: its masks are boolean.
    """

    def __init__(self, model: Sam3Model) -> None:
        self._model = cast("Any", model)

    def look(self, levels: Sequence[torch.Tensor], position: torch.Tensor) -> Seen:
        """What can be said of images before anything is asked.

        Args:
            levels: The FPN's maps, finest first, the last of them the transformer's grid,
                (images, channels, h, w) each.
            position: Encoding of the last of them, (1, channels, h, w).
        """
        *finer, grid = levels
        tokens = grid.flatten(2).transpose(1, 2)
        positions = position.flatten(2).transpose(1, 2)
        layer = self._model.detr_encoder.layers[0]
        normed = layer.layer_norm1(tokens)
        placed = normed + positions
        attended, _ = layer.self_attn(query=placed, key=placed, value=normed)
        size = (int(grid.shape[-2]), int(grid.shape[-1]))
        return Seen(tuple(finer), attended + tokens, positions, size)

    def ask(
        self, seen: Seen, images: Sequence[int], text: torch.Tensor, attention: torch.Tensor
    ) -> Answers:
        """Look for one prompt in one image, a row each.

        Args:
            seen: The images.
            images: Which of them each row is about.
            text: Projected features, (rows, tokens, channels).
            attention: Not 0 for the tokens that are text, (rows, tokens).
        """
        read = attention.bool()[:, None, None, :]
        cells = self._encode(seen, images, text, read)
        hidden = self._decode(seen, cells, text, read)
        decoder = self._model.detr_decoder
        queries = decoder.output_layer_norm(hidden[:, 1:])
        presence = decoder.presence_head(decoder.presence_layer_norm(hidden[:, :1])).squeeze(-1)
        limit = decoder.clamp_presence_logit_max_val
        logits = self._model.dot_product_scoring(queries[None], text, attention.bool())
        return Answers(
            images=tuple(images),
            logits=logits[0].squeeze(-1),
            presence=presence.clamp(-limit, limit),
            queries=queries,
            cells=cells,
            text=text,
            read=read,
        )

    def _encode(
        self, seen: Seen, images: Sequence[int], text: torch.Tensor, read: torch.Tensor
    ) -> torch.Tensor:
        """``Sam3DetrEncoder``, its first self-attention done."""
        first, *others = self._model.detr_encoder.layers
        cells: torch.Tensor = _rows(seen.tokens, images)
        asked = first.layer_norm2(cells)
        cells = cells + first.cross_attn(asked, text, text, attention_mask=read)[0]
        cells = cells + first.mlp(first.layer_norm3(cells))
        for layer in others:
            cells = layer(
                cells,
                prompt_feats=text,
                vision_pos_encoding=seen.position,
                prompt_cross_attn_mask=read,
            )
        return cells

    def _decode(
        self, seen: Seen, cells: torch.Tensor, text: torch.Tensor, read: torch.Tensor
    ) -> torch.Tensor:
        """``Sam3DetrDecoder``: (rows, 1 + queries, channels), the presence token first."""
        decoder = self._model.detr_decoder
        start = torch.cat([decoder.presence_token.weight, decoder.query_embed.weight])
        hidden: torch.Tensor = start.expand(len(cells), -1, -1)
        boxes = decoder.reference_points.weight[None].sigmoid()  # one for all rows, until they bend
        for number, layer in enumerate(decoder.layers):
            if number:
                moved = decoder.box_head(decoder.output_layer_norm(hidden[:, 1:]))
                boxes = (moved + inverse_sigmoid(boxes)).sigmoid()
            hidden = layer(
                hidden,
                query_pos=decoder.ref_point_head(decoder.position_encoding.encode_boxes(boxes)),
                text_features=text,
                vision_features=cells,
                vision_pos_encoding=seen.position,
                text_cross_attn_mask=read,
                vision_cross_attn_mask=self._nearness(boxes, seen.grid),
            )
        return hidden

    def _nearness(self, boxes: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """How much each query's box bends its attention to each cell.

        Args:
            boxes: cxcywh in [0, 1], (rows, queries, 4).
            grid: Rows and columns of cells.

        Returns:
            (rows, heads, 1 + queries, cells); the presence token in front is not bent.
        """
        x, y, width, height = boxes.unbind(-1)
        decoder = self._model.detr_decoder
        rows = _distances(grid[0], _ends(y, height), decoder.box_rpb_embed_y)
        columns = _distances(grid[1], _ends(x, width), decoder.box_rpb_embed_x)
        return (rows[..., :, None] + columns[..., None, :]).flatten(-2)

    def draw(self, seen: Seen, answers: Answers, kept: Sequence[tuple[int, int]]) -> torch.Tensor:
        """The masks of some queries.

        Args:
            seen: The images.
            answers: Of all rows.
            kept: Row and query of each mask, by row.

        Returns:
            Logits, (kept, h, w), h and w as the finest of the FPN's maps.
        """
        rows = sorted({row for row, _ in kept})
        pixels = self._pixels(seen, answers, rows)
        decoder = self._model.mask_decoder
        device = pixels.device
        of_row, of_query = (torch.tensor(axis, device=device) for axis in zip(*kept, strict=True))
        embeddings = decoder.mask_embedder(answers.queries[of_row, of_query])
        projection = decoder.instance_projection
        folded = embeddings @ projection.weight.flatten(1)
        offsets = embeddings @ projection.bias
        counts = [sum(row == one for one, _ in kept) for row in rows]
        flat = pixels.flatten(2)
        drawn = [part @ flat[at] for at, part in enumerate(folded.split(counts))]
        maps: torch.Tensor = torch.cat(drawn) + offsets[:, None]
        return maps.view(len(kept), *pixels.shape[-2:])

    def _pixels(self, seen: Seen, answers: Answers, rows: Sequence[int]) -> torch.Tensor:
        """``Sam3MaskDecoder`` up to its projection: (rows, channels, h, w)."""
        decoder = self._model.mask_decoder
        whole = len(rows) == len(answers.images)
        cells, text, read = (
            part if whole else part[list(rows)]
            for part in (answers.cells, answers.text, answers.read)
        )
        asked = decoder.prompt_cross_attn_norm(cells)
        cells = cells + decoder.prompt_cross_attn(asked, text, text, attention_mask=read)[0]
        pixels: torch.Tensor = cells.transpose(1, 2).unflatten(2, seen.grid)
        images = [answers.images[row] for row in rows]
        fpn = decoder.pixel_decoder
        for finer, conv, norm in zip(
            reversed(seen.finer), fpn.conv_layers, fpn.norms, strict=False
        ):
            enlarged = functional.interpolate(pixels, size=finer.shape[-2:], mode="nearest")
            pixels = functional.relu(norm(conv(enlarged + _rows(finer, images))))
        return pixels


def _rows(values: torch.Tensor, images: Sequence[int]) -> torch.Tensor:
    """The images' values, one a row."""
    first = images[0]
    if all(image == first for image in images):
        return values[first : first + 1].expand(len(images), *values.shape[1:])
    return values[list(images)]


def _ends(centre: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Where spans begin and end, in a new last axis."""
    return torch.stack([centre - 0.5 * length, centre + 0.5 * length], dim=-1)


def _distances(cells: int, edges: torch.Tensor, embed: torch.nn.Module) -> torch.Tensor:
    """Embedded distances of cells from the two edges of boxes, along one axis.

    Args:
        cells: So many, from 0 to 1.
        edges: (rows, queries, 2).
        embed: Two distances → one number a head.

    Returns:
        (rows, heads, 1 + queries, cells), 0 for the presence token in front.
    """
    places = torch.arange(cells, device=edges.device, dtype=edges.dtype) / cells
    away = (places[:, None] - edges[:, :, None]) * _LOG_SCALE
    scaled = away.sign() * torch.log2(away.abs() + 1.0) / math.log2(_LOG_SCALE)
    return functional.pad(embed(scaled).permute(0, 3, 1, 2), (0, 0, 1, 0))

"""SAM3's transformer over ``Sam3Model``'s own weights, without results that nobody reads.

The published forward pass makes boxes and scores of every layer for each prompt of each image.
Here, for text prompts and up to rounding the same:

* what is true of an image whatever the prompt – the first self-attention of the DETR encoder – is
  computed once an image;
* the boxes of the last layer and the scores of all layers but the last are left out: the box of an
  instance is that of its mask, which ``mask_decoder`` makes for those that are kept;
* no value is read back to the host on the way: sizes are known, masks are built once.

Every method takes and returns tensors alone, so that each can be compiled as one graph.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch.nn import functional
from transformers import Sam3Model
from transformers.models.sam3.modeling_sam3 import inverse_sigmoid

#: ``Sam3DetrDecoder._get_rpb_matrix``: log2(8 |d| + 1) / log2(8) of a distance d, with its sign.
_LOG_SCALE = 8


class Detector:
    """The part of SAM3 between the vision and text encoders and the masks.

    Args:
        model: In eval mode, with ``sdpa`` attention: its masks are boolean.
    """

    def __init__(self, model: Sam3Model) -> None:
        self._model = cast("Any", model)

    def encode_images(self, grid: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """The features of images before any prompt is known.

        Args:
            grid: The FPN's map of the transformer's grid, (images, channels, rows, columns).
            position: Encoding of its cells, (1, cells, channels).

        Returns:
            (images, cells, channels): behind the encoder's first self-attention.
        """
        tokens = grid.flatten(2).transpose(1, 2)
        layer = self._model.detr_encoder.layers[0]
        normed = layer.layer_norm1(tokens)
        placed = normed + position
        attended, _ = layer.self_attn(query=placed, key=placed, value=normed)
        return cast("torch.Tensor", attended + tokens)

    def detect(
        self,
        cells: torch.Tensor,
        text: torch.Tensor,
        text_mask: torch.Tensor,
        position: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Detect one prompt in one image for each row.

        Args:
            cells: The image of each row as ``encode_images`` returns it, (rows, cells, channels).
            text: Projected features, (rows, tokens, channels).
            text_mask: True for the tokens that are text, (rows, tokens).
            position: Encoding of the cells of a square grid, (1, cells, channels).

        Returns:
            Logits of the classes, (rows, queries); logits of the presence, (rows, 1); the queries
            that masks are decoded from, (rows, queries, channels); the image's features conditioned
            on the prompt, (rows, cells, channels).
        """
        attention_mask = text_mask[:, None, None, :]
        cells = self._encode(cells, text, attention_mask, position)
        hidden = self._decode(cells, text, attention_mask, position)
        decoder = self._model.detr_decoder
        queries = decoder.output_layer_norm(hidden[:, 1:])
        presence = decoder.presence_head(decoder.presence_layer_norm(hidden[:, :1])).squeeze(-1)
        limit = decoder.clamp_presence_logit_max_val
        logits = self._model.dot_product_scoring(queries[None], text, text_mask)[0].squeeze(-1)
        return logits, presence.clamp(-limit, limit), queries, cells

    def _encode(
        self,
        cells: torch.Tensor,
        text: torch.Tensor,
        attention_mask: torch.Tensor,
        position: torch.Tensor,
    ) -> torch.Tensor:
        """``Sam3DetrEncoder``, its first self-attention done."""
        first, *others = self._model.detr_encoder.layers
        normed = first.layer_norm2(cells)
        cells = cells + first.cross_attn(normed, text, text, attention_mask=attention_mask)[0]
        cells = cells + first.mlp(first.layer_norm3(cells))
        for layer in others:
            cells = layer(
                cells,
                prompt_feats=text,
                vision_pos_encoding=position,
                prompt_cross_attn_mask=attention_mask,
            )
        return cells

    def _decode(
        self,
        cells: torch.Tensor,
        text: torch.Tensor,
        attention_mask: torch.Tensor,
        position: torch.Tensor,
    ) -> torch.Tensor:
        """``Sam3DetrDecoder``: (rows, 1 + queries, channels), the presence token first."""
        decoder = self._model.detr_decoder
        start = torch.cat([decoder.presence_token.weight, decoder.query_embed.weight])
        hidden: torch.Tensor = start.expand(len(cells), -1, -1)
        boxes = decoder.reference_points.weight[
            None
        ].sigmoid()  # the same for all rows before the first layer
        side = math.isqrt(cells.shape[1])
        for number, layer in enumerate(decoder.layers):
            if number:
                moved = decoder.box_head(decoder.output_layer_norm(hidden[:, 1:]))
                boxes = (moved + inverse_sigmoid(boxes)).sigmoid()
            hidden = layer(
                hidden,
                query_pos=decoder.ref_point_head(decoder.position_encoding.encode_boxes(boxes)),
                text_features=text,
                vision_features=cells,
                vision_pos_encoding=position,
                text_cross_attn_mask=attention_mask,
                vision_cross_attn_mask=self._position_bias(boxes, side),
            )
        return hidden

    def _position_bias(self, boxes: torch.Tensor, side: int) -> torch.Tensor:
        """The attention bias of each query to each cell, from the cell's place relative to its box.

        Args:
            boxes: cxcywh in [0, 1], (rows, queries, 4).
            side: Rows, and columns, of cells.

        Returns:
            (rows, heads, 1 + queries, cells); 0 for the presence token in front.
        """
        x, y, width, height = boxes.unbind(-1)
        decoder = self._model.detr_decoder
        rows = _distances(side, _ends(y, height), decoder.box_rpb_embed_y)
        columns = _distances(side, _ends(x, width), decoder.box_rpb_embed_x)
        return (rows[..., :, None] + columns[..., None, :]).flatten(-2)


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

"""A forward pass over image-prompt pairs, which shows training what `Sam3Model.forward` hides."""

from dataclasses import dataclass
from typing import cast

import torch
from transformers import Sam3Model
from transformers.models.sam3.modeling_sam3 import Sam3DetrEncoderLayer, inverse_sigmoid


@dataclass(frozen=True, slots=True)
class PairOutputs:
    """What training sees of `N` image-prompt pairs through `L` decoder layers of `Q` queries."""

    #: float `(L, N, Q)`, class logits.
    logits: torch.Tensor
    #: float `(L, N, Q, 4)`, normalised cxcywh.
    boxes: torch.Tensor
    #: float `(L, N)`, presence logits.
    presence: torch.Tensor
    #: float `(N, Q, hidden)`, the last layer's queries.
    queries: torch.Tensor
    #: float `(N, tokens, hidden)`, the encoder's output.
    encoded: torch.Tensor
    #: The three pyramid levels of the images, finest first.
    levels: tuple[torch.Tensor, ...]
    #: float `(N, tokens, hidden)` text features and their bool mask.
    text: torch.Tensor
    text_mask: torch.Tensor


def forward_pairs(
    model: Sam3Model,
    levels: tuple[torch.Tensor, ...],
    position: torch.Tensor,
    text: torch.Tensor,
    text_mask: torch.Tensor,
    *,
    image_of_pair: torch.Tensor,
) -> PairOutputs:
    """Runs prompts on images, vision shared, and keeps every decoder layer's predictions.

    Args:
        model: The model.
        levels: Three pyramid levels, each float `(B, hidden, height, width)`, finest first.
        position: float `(1, hidden, height, width)`, position encoding of the coarsest level.
        text: float `(N, tokens, hidden)`, projected text features.
        text_mask: bool `(N, tokens)`, False for padding.
        image_of_pair: int64 `(N,)`, the image each pair is about.

    Returns:
        The outputs; equal to `Sam3Model.forward` up to rounding.
    """
    encoded, flat_position = _encode(
        model, levels[-1], position, text, text_mask, image_of_pair=image_of_pair
    )
    height, width = levels[-1].shape[-2:]
    decoded = model.detr_decoder(
        vision_features=encoded,
        text_features=text,
        vision_pos_encoding=flat_position.expand(len(text), -1, -1),
        text_mask=text_mask,
        spatial_shapes=torch.tensor([[height, width]], device=text.device),
    )
    hidden = decoded.intermediate_hidden_states
    boxes = (
        inverse_sigmoid(decoded.reference_boxes) + model.detr_decoder.box_head(hidden)
    ).sigmoid()
    logits = model.dot_product_scoring(
        decoder_hidden_states=hidden, text_features=text, text_mask=text_mask
    )
    return PairOutputs(
        logits=logits.squeeze(-1),
        boxes=boxes,
        presence=decoded.presence_logits.squeeze(-1),
        queries=hidden[-1],
        encoded=encoded,
        levels=levels,
        text=text,
        text_mask=text_mask,
    )


def _encode(
    model: Sam3Model,
    features: torch.Tensor,
    position: torch.Tensor,
    text: torch.Tensor,
    text_mask: torch.Tensor,
    *,
    image_of_pair: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs the DETR encoder; its first self-attention knows no prompt, so it runs once per image.

    Returns:
        float `(N, tokens, hidden)` encoded features and `(1, tokens, hidden)` positions.
    """
    states = features.flatten(2).transpose(1, 2)
    where = position.flatten(2).transpose(1, 2)
    mask = text_mask[:, None, None, :]
    layers = cast("list[Sam3DetrEncoderLayer]", list(model.detr_encoder.layers))
    for index, layer in enumerate(layers):
        normed = layer.layer_norm1(states)
        states = states + layer.self_attn(normed + where, normed + where, normed)[0]
        if index == 0:
            states = states[image_of_pair]
        states = (
            states + layer.cross_attn(layer.layer_norm2(states), text, text, attention_mask=mask)[0]
        )
        states = states + layer.mlp(layer.layer_norm3(states))
    return states, where


def decode_masks(
    model: Sam3Model, outputs: PairOutputs, pairs: torch.Tensor, images: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Runs the pixel decoder for some of the pairs only; it costs more than all the rest of a pair.

    Args:
        model: The model.
        outputs: What `forward_pairs` returned.
        pairs: int64 `(K,)`, indices of the pairs.
        images: int64 `(K,)`, the images of these pairs.

    Returns:
        Pixel embeddings `(K, hidden, grid, grid)`, query embeddings `(K, Q, hidden)` and semantic
        logits `(K, grid, grid)`.
    """
    decoder = model.mask_decoder
    encoded = outputs.encoded[pairs]
    mask = outputs.text_mask[pairs][:, None, None, :]
    text = outputs.text[pairs]
    attended = decoder.prompt_cross_attn(
        decoder.prompt_cross_attn_norm(encoded), text, text, attention_mask=mask
    )[0]
    features = [level[images] for level in outputs.levels]
    pixels = decoder._embed_pixels(features, encoded + attended)  # noqa: SLF001 (no public way in)
    return (
        decoder.instance_projection(pixels),
        decoder.mask_embedder(outputs.queries[pairs]),
        decoder.semantic_projection(pixels)[:, 0],
    )

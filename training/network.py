"""The demo networks' sizes, and a forward pass which shows training what `forward` hides."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    Sam3Config,
    Sam3Model,
)
from transformers.models.sam3.modeling_sam3 import Sam3DetrEncoderLayer, inverse_sigmoid

from training.vocabulary import BOS_ID, EOS_ID, MAX_TOKENS, PAD_ID, words

IMAGE_SIZE = 160
PATCH_SIZE = 10
TOKENS = IMAGE_SIZE // PATCH_SIZE
GRID = 4 * TOKENS
QUERIES = 20

#: Width of the pyramid, the detector and the mask decoder, which have to be equal.
HIDDEN = 64
VOCABULARY_SIZE = 4 + len(words())

CROP_SIZE = 48


def sam3_config() -> Sam3Config:
    """Returns the small configuration, all dropouts off: data repeats too seldom to need them."""
    hidden, heads = HIDDEN, 4
    transformer = {"hidden_size": hidden, "num_attention_heads": heads, "dropout": 0.0}
    return Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 128,
                "intermediate_size": 384,
                "num_hidden_layers": 4,
                "num_attention_heads": 8,
                "image_size": IMAGE_SIZE,
                "pretrain_image_size": IMAGE_SIZE,
                "patch_size": PATCH_SIZE,
                # One window is the whole picture; a smaller one would stretch rotary positions.
                "window_size": TOKENS,
                "global_attn_indexes": [0, 1, 2, 3],
                # At the default of 10,000 most frequencies stand still over 16 tokens.
                "rope_parameters": {"rope_type": "axial", "rope_theta": 20.0},
            },
            "fpn_hidden_size": hidden,
            "backbone_feature_sizes": [[GRID, GRID], [GRID // 2, GRID // 2], [TOKENS, TOKENS]],
            "scale_factors": [4.0, 2.0, 1.0, 0.5],
        },
        text_config=_text_config(projection=64).to_dict(),
        geometry_encoder_config={
            **transformer,
            "num_layers": 1,
            "intermediate_size": 128,
            "roi_size": 3,
        },
        detr_encoder_config={**transformer, "num_layers": 2, "intermediate_size": 256},
        detr_decoder_config={
            **transformer,
            "num_layers": 3,
            "intermediate_size": 256,
            "num_queries": QUERIES,
        },
        # Two stages join the three pyramid levels; a third convolution would never be reached.
        mask_decoder_config={
            "hidden_size": hidden,
            "num_attention_heads": heads,
            "num_upsampling_stages": 2,
        },
    )


def _text_config(projection: int) -> CLIPTextConfig:
    """Returns a small CLIP text tower over the word-level vocabulary."""
    return CLIPTextConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=64,
        intermediate_size=128,
        projection_dim=projection,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        pad_token_id=PAD_ID,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
    )


def clip_config() -> CLIPConfig:
    """Returns the small CLIP configuration."""
    vision = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=256,
        projection_dim=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=CROP_SIZE,
        patch_size=8,
    )
    return CLIPConfig(
        text_config=_text_config(projection=64).to_dict(),
        vision_config=vision.to_dict(),
        projection_dim=64,
    )


def initialise(model: Sam3Model) -> None:
    """Starts small layers well: the default of normal(0, 0.02) is meant for wide ones."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias) if module.bias is not None else None
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias) if module.bias is not None else None
    _look_at_neighbours(model)
    decoder = model.detr_decoder
    nn.init.zeros_(decoder.box_head.get_parameter("layer3.weight"))
    nn.init.normal_(decoder.query_embed.weight, std=0.5)
    nn.init.normal_(decoder.presence_token.weight, std=0.5)
    rows, columns = 4, QUERIES // 4
    grid_y, grid_x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    centres = torch.stack([(grid_x + 0.5) / columns, (grid_y + 0.5) / rows], -1).view(-1, 2)
    with torch.no_grad():
        decoder.reference_points.weight.copy_(
            torch.cat([centres, torch.full_like(centres, 0.28)], 1).logit()
        )


def _look_at_neighbours(model: Sam3Model, strength: float = 2.5) -> None:
    """Makes heads of the first vision layers look one or two tokens away, each in one direction.

    The rotary position turns a constant query and a constant key against each other, so biases
    alone can prefer one offset. A vision transformer otherwise needs long to find out that
    neighbours matter, and shapes need neighbours.

    Args:
        model: The model, its layers already initialised.
        strength: Length of each rotary pair of the biases; the preference grows with its square.
    """
    layers = model.vision_encoder.backbone.layers
    for layer, distance in zip(layers, (1.0, 1.0, 2.0), strict=False):
        attention = layer.attention
        heads, dim = attention.num_attention_heads, attention.head_dim
        angles = torch.arange(heads) * (2 * torch.pi / heads)
        # On a square ring around the token, so that diagonal neighbours are met exactly.
        offsets = torch.stack([angles.cos(), angles.sin()], 1)
        offsets = (offsets / offsets.abs().amax(1, keepdim=True) * distance).round()
        turn = (offsets[:, :, None] * layer.rotary_emb.inv_freq).flatten(1)
        query = torch.stack([turn.cos(), turn.sin()], -1).view(heads * dim)
        key = torch.tensor([1.0, 0.0]).repeat(heads * dim // 2)
        with torch.no_grad():
            attention.q_proj.bias.copy_(strength * query)
            attention.k_proj.bias.copy_(strength * key)
            # Content speaks softly at first, or it would drown the preference for an offset.
            attention.q_proj.weight.mul_(0.4)
            attention.k_proj.weight.mul_(0.4)


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


def new_sam3() -> Sam3Model:
    """Returns an untrained demo Sam3Model."""
    model = Sam3Model(sam3_config())
    initialise(model)
    return model


def new_clip() -> CLIPModel:
    """Returns an untrained demo CLIPModel."""
    return CLIPModel(clip_config())


__all__ = [
    "CROP_SIZE",
    "GRID",
    "HIDDEN",
    "IMAGE_SIZE",
    "QUERIES",
    "TOKENS",
    "PairOutputs",
    "decode_masks",
    "forward_pairs",
    "new_clip",
    "new_sam3",
]

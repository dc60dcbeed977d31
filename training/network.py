"""The demo networks: their sizes and their first weights."""

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


def initialise_layers(model: nn.Module) -> None:
    """Sets first weights for small layers: the default of normal(0, 0.02) suits wide ones."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias) if module.bias is not None else None
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias) if module.bias is not None else None


def initialise(model: Sam3Model) -> None:
    """Sets a detector's first weights."""
    initialise_layers(model)
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
            # Small weights for the content at first, or it would outweigh the preferred offset.
            attention.q_proj.weight.mul_(0.4)
            attention.k_proj.weight.mul_(0.4)


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
    "PATCH_SIZE",
    "QUERIES",
    "TOKENS",
    "initialise_layers",
    "new_clip",
    "new_sam3",
    "sam3_config",
]

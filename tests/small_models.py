"""Small random models of the real classes, for tests that need weights but no knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerFast,
    Sam3Config,
    Sam3Model,
    Sam3TrackerConfig,
    Sam3TrackerModel,
    Sam3VideoConfig,
    Sam3VideoModel,
)

from maskpool.domain import Found
from maskpool.ports import Request
from workers.models.sam3.segmenter import Sam3Segmenter

#: Tokens the text encoders read, begin and end included.
CONTEXT = 32

_WORDS = ["red", "green", "blue", "circle", "square", "triangle", "shape", "warm", "up", "a", "the"]

_TEXT = {
    "vocab_size": 4 + len(_WORDS),
    "hidden_size": 32,
    "intermediate_size": 64,
    "projection_dim": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 3,
}


def sam3_config(side: int = 96, queries: int = 12) -> Sam3Config:
    """A SAM3 of 0.4 M weights; masks are a third of the input's side."""
    tokens = side // 12
    transformer = {"hidden_size": 32, "num_attention_heads": 4, "dropout": 0.0}
    return Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": 64,
                "intermediate_size": 96,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "image_size": side,
                "pretrain_image_size": side,
                "patch_size": 12,
                "window_size": tokens // 2,
                "global_attn_indexes": [1],
            },
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[4 * tokens] * 2, [2 * tokens] * 2, [tokens] * 2],
            "scale_factors": [4.0, 2.0, 1.0, 0.5],
        },
        text_config={"model_type": "clip_text_model", **_TEXT},
        geometry_encoder_config={
            **transformer,
            "num_layers": 1,
            "intermediate_size": 64,
            "roi_size": 3,
        },
        detr_encoder_config={**transformer, "num_layers": 2, "intermediate_size": 64},
        detr_decoder_config={
            **transformer,
            "num_layers": 2,
            "intermediate_size": 64,
            "num_queries": queries,
        },
        mask_decoder_config={
            "hidden_size": 32,
            "num_attention_heads": 4,
            "num_upsampling_stages": 2,
        },
    )


def sam3_video_config(side: int = 96) -> Sam3VideoConfig:
    """The same detector with a tracker, in the layout of the published checkpoint."""
    detector = sam3_config(side).to_dict()
    tokens = side // 12
    return Sam3VideoConfig(
        architectures=["Sam3VideoModel"],
        detector_config=detector,
        tracker_config={
            "model_type": "sam3_tracker_video",
            "vision_config": detector["vision_config"],
            "image_size": side,
            "prompt_encoder_config": {"hidden_size": 32, "image_size": side, "patch_size": 12},
            "mask_decoder_config": {
                "hidden_size": 32,
                "mlp_dim": 32,
                "num_attention_heads": 4,
                "iou_head_hidden_dim": 32,
            },
            "memory_attention_hidden_size": 32,
            "memory_attention_num_layers": 1,
            "memory_attention_feed_forward_hidden_size": 32,
            "memory_attention_rope_feat_sizes": [tokens, tokens],
            "memory_encoder_hidden_size": 32,
            "memory_encoder_output_channels": 16,
            "mask_downsampler_embed_dim": 32,
            "memory_fuser_embed_dim": 32,
            "memory_fuser_intermediate_dim": 32,
        },
        low_res_mask_size=4 * tokens,
    )


def spread(model: torch.nn.Module, gain: float = 3.0) -> None:
    """Widen random weights: as transformers draws them, every query says the same."""
    generator = torch.Generator().manual_seed(7)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            fan = weight[0].numel()
            torch.nn.init.normal_(weight, std=gain / fan**0.5 / 2, generator=generator)
        elif "norm" not in name:
            torch.nn.init.normal_(weight, std=0.2, generator=generator)


def small_sam3(side: int = 96, queries: int = 12) -> Sam3Model:
    """A random SAM3 whose queries differ in score and in mask."""
    torch.manual_seed(0)
    model = Sam3Model(sam3_config(side, queries)).eval()
    with torch.no_grad():
        spread(model)
    return model


def small_tracker(detector: Sam3Model) -> Sam3TrackerModel:
    """A random tracker over a detector's own backbone; its candidates differ."""
    side = detector.config.image_size
    torch.manual_seed(1)
    config = Sam3TrackerConfig(
        vision_config=sam3_config(side).vision_config.to_dict(),
        prompt_encoder_config={"hidden_size": 32, "image_size": side, "patch_size": 12},
        mask_decoder_config={
            "hidden_size": 32,
            "mlp_dim": 48,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 32,
        },
    )
    tracker = Sam3TrackerModel(config).eval()
    with torch.no_grad():
        spread(tracker)
    tracker.vision_encoder.backbone = detector.vision_encoder.backbone
    return tracker


def small_video(side: int = 96) -> Sam3VideoModel:
    """A random SAM3 with a random tracker whose candidates differ."""
    torch.manual_seed(3)
    model = Sam3VideoModel(sam3_video_config(side)).eval()
    tracker = model.tracker_model
    with torch.no_grad():
        for part in (model.detector_model, model.tracker_neck, tracker.mask_decoder):
            spread(part)
        # As published: the prompts' positions are measured as the image's are.
        shared = tracker.shared_image_embedding.positional_embedding
        tracker.prompt_encoder.shared_embedding.positional_embedding.copy_(shared)
    return model


def save_video(folder: Path) -> Sam3VideoModel:
    """Save such a model under the published names; ``save_pretrained`` would write others."""
    model = small_video()
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    model.config.save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return model


def small_clip(side: int = 48) -> CLIPModel:
    """A random CLIP."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "projection_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": side,
        "patch_size": 8,
    }
    return CLIPModel(
        CLIPConfig(text_config=dict(_TEXT), vision_config=vision, projection_dim=32)
    ).eval()


def word_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; unknown words are one token too."""
    ids = {word: place for place, word in enumerate(["<pad>", "<bos>", "<unk>", "<eos>", *_WORDS])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=CONTEXT,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
    )


def image_processor(side: int = 48) -> Any:
    """CLIP's published preprocessing at a small size."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )


def save_pair(folder: Path) -> tuple[Path, Path]:
    """Save a SAM3 and a CLIP folder, as ``load_models`` reads them."""
    sam3, clip = folder / "sam3", folder / "clip"
    for model, place in ((small_sam3(), sam3), (small_clip(), clip)):
        model.save_pretrained(place)
        word_tokenizer().save_pretrained(place)
    image_processor().save_pretrained(clip)
    return sam3, clip


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """An image with something in it: coloured boxes on a noisy ground, uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    image = random.integers(90, 120, (height, width, 3), dtype=np.uint8)
    for _ in range(5):
        y, x = random.integers(0, height * 3 // 4), random.integers(0, width * 3 // 4)
        colour = random.integers(0, 255, 3, dtype=np.uint8)
        image[y : y + height // 5 + 1, x : x + width // 6 + 1] = colour
    return image


def find(
    segmenter: Sam3Segmenter, images: Sequence[Any], texts: Sequence[str]
) -> list[list[Found]]:
    """What a segmenter finds where every image is asked for the same texts, and for them alone."""
    requests = [Request(image, tuple(texts)) for image in images]
    return [answer.found for answer in segmenter.segment(requests)]

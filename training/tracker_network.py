"""The demo tracker beside the detector: its sizes, its first weights, its names in the file."""

import torch
from torch import nn
from transformers import Sam3TrackerModel, Sam3VideoConfig, Sam3VideoModel

from training.network import (
    GRID,
    HIDDEN,
    IMAGE_SIZE,
    PATCH_SIZE,
    TOKENS,
    initialise_layers,
    sam3_config,
)

#: What the file calls a part of the tracker, by what `Sam3TrackerModel` calls it.
_NECK = ("vision_encoder.neck.", "tracker_neck.")
_BACKBONE = "vision_encoder.backbone."

_SEED = 12
HEADS = 4


def video_config() -> Sam3VideoConfig:
    """Returns the configuration of detector and tracker, in the published layout."""
    detector = sam3_config().to_dict()
    return Sam3VideoConfig(
        architectures=["Sam3VideoModel"],
        detector_config=detector,
        low_res_mask_size=GRID,
        tracker_config={
            "model_type": "sam3_tracker_video",
            "vision_config": detector["vision_config"],
            "image_size": IMAGE_SIZE,
            "prompt_encoder_config": {
                "hidden_size": HIDDEN,
                "image_size": IMAGE_SIZE,
                "patch_size": PATCH_SIZE,
            },
            "mask_decoder_config": {
                "hidden_size": HIDDEN,
                "mlp_dim": 256,
                # Heads of 16, as published: fewer waves cannot tell one place from another.
                "num_attention_heads": HEADS,
                "attention_downsample_rate": 1,
                "iou_head_hidden_dim": HIDDEN,
            },
            **_memory_config(),
        },
    )


def _memory_config() -> dict[str, object]:
    """Returns the sizes of the memory modules, which only videos use: as small as they go."""
    return {
        "memory_attention_hidden_size": HIDDEN,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": HIDDEN,
        "memory_attention_rope_feat_sizes": [TOKENS, TOKENS],
        "memory_encoder_hidden_size": HIDDEN,
        "memory_encoder_output_channels": 16,
        "mask_downsampler_embed_dim": HIDDEN,
        "memory_fuser_embed_dim": HIDDEN,
        "memory_fuser_intermediate_dim": 2 * HIDDEN,
        "memory_fuser_num_layers": 1,
    }


def new_video(
    detector: dict[str, torch.Tensor], tracker: dict[str, torch.Tensor] | None = None
) -> Sam3VideoModel:
    """Puts a detector and a tracker together; the same weights always give the same model.

    Args:
        detector: Weights by the names of `Sam3Model`.
        tracker: Weights by the names of `Sam3TrackerModel`; what is not named is untrained.

    Returns:
        The model in float32.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        video = Sam3VideoModel(video_config())
        _initialise(video)
    video.detector_model.load_state_dict(detector, strict=False)
    # The detector's neck already knows where edges are: a far better start than noise.
    video.tracker_neck.load_state_dict(video.detector_model.vision_encoder.neck.state_dict())
    named = {name_in_file(name): weight for name, weight in (tracker or {}).items()}
    unknown = video.load_state_dict(named, strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"no weights of a tracker: {', '.join(unknown[:3])}")
    return video


def new_tracker(detector: dict[str, torch.Tensor]) -> Sam3TrackerModel:
    """Returns an untrained tracker to train over a detector; its own backbone is noise, unused."""
    tracker: Sam3TrackerModel = Sam3TrackerModel(video_config())  # type: ignore[arg-type]
    video = new_video(detector).state_dict()
    weights = {name: video[name_in_file(name)] for name in own_weights(tracker)}
    tracker.load_state_dict(weights, strict=False)
    return tracker


def name_in_file(name: str) -> str:
    """Returns the published checkpoint's name of one of `Sam3TrackerModel`'s own weights."""
    if name.startswith(_NECK[0]):
        return _NECK[1] + name.removeprefix(_NECK[0])
    return f"tracker_model.{name}"


def own_weights(tracker: nn.Module) -> dict[str, torch.Tensor]:
    """Returns what a `Sam3TrackerModel` has beside the detector's backbone."""
    weights = tracker.state_dict()
    return {name: weight for name, weight in weights.items() if not name.startswith(_BACKBONE)}


def _initialise(video: Sam3VideoModel) -> None:
    """Sets first weights; the positional embedding is no weight and stays what it is here."""
    tracker = video.tracker_model
    initialise_layers(tracker)
    decoder, encoder = tracker.mask_decoder, tracker.prompt_encoder
    # The default of normal(0, 0.02) lets the candidates start as one.
    for table in (decoder.mask_tokens, decoder.iou_token, decoder.obj_score_token):
        nn.init.normal_(table.weight, std=0.5)
    for table in (encoder.point_embed, encoder.not_a_point_embed):
        nn.init.normal_(table.weight, std=0.5)
    shared = tracker.shared_image_embedding.positional_embedding
    with torch.no_grad():
        # Half precision is what the file holds, and training must see what serving will.
        shared.copy_(shared.half())
        encoder.shared_embedding.positional_embedding.copy_(shared)
        _look_where_it_was_clicked(tracker.mask_decoder.transformer)


def _look_where_it_was_clicked(transformer: nn.Module, strength: float = 2.0) -> None:
    """Makes every cross attention start as a search for the same place.

    A place is a sine and a cosine of 32 waves. Where queries and keys keep these pairs as they are,
    their product is greatest for equal places, so a click attends to what lies under it, and what
    lies there to the click. From random weights this takes thousands of steps to find.

    Args:
        transformer: The mask decoder's, its layers already initialised.
        strength: Gain of queries and of keys.
    """
    waves = HIDDEN // 2
    # Head by head: a few waves each, first their sines, then their cosines.
    order = torch.arange(waves).view(-1, HEADS).T
    pick = torch.eye(HIDDEN)[torch.cat([order, order + waves], 1).flatten()]
    for name, module in transformer.named_modules():
        last = name.rpartition(".")[2]
        if last in ("layer_norm1", "layer_norm2", "layer_norm3", "layer_norm4"):
            # Content is kept quiet beside the places.
            nn.init.constant_(module.get_parameter("weight"), 0.5)
        if "cross_attn" in last or "final_attn_token" in last:
            for projection in ("q_proj.weight", "k_proj.weight"):
                module.get_parameter(projection).mul_(0.2).add_(strength * pick)


__all__ = ["name_in_file", "new_tracker", "new_video", "own_weights", "video_config"]

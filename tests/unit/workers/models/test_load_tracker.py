"""The tracker out of the detector's checkpoint: over one backbone, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import save_pair, save_video
from transformers import Sam3Model, Sam3TrackerModel

from maskpool.errors import ConfigError
from workers.models.checkpoint import Checkpoint, whole
from workers.models.load import load_tracker

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_video(tmp_path / "video")
    return tmp_path / "video"


def detector_of(folder: Path) -> Sam3Model:
    detector: Sam3Model = whole(Checkpoint.read(str(folder)), Sam3Model)
    return detector


def test_the_tracker_reads_the_detector_s_own_backbone(folder: Path) -> None:
    detector = detector_of(folder)
    alone = Sam3TrackerModel.from_pretrained(folder, dtype=torch.float32).eval()
    pixels = torch.rand(2, 3, 96, 96) * 2 - 1
    points = torch.tensor([[[[30.0, 40.0]]], [[[50.0, 20.0]]]])

    tracker = load_tracker(str(folder), CPU, detector)

    assert tracker is not None
    assert tracker.vision_encoder.backbone is detector.vision_encoder.backbone
    assert not tracker.training
    assert {weight.dtype for weight in tracker.parameters()} == {torch.float32}
    with torch.inference_mode():
        expected = alone(pixel_values=pixels, input_points=points)
        # The way serving goes: one vision pass, the detector's.
        tokens = detector.get_vision_features(pixels).last_hidden_state
        levels = tracker.vision_encoder.neck(tokens.view(2, 8, 8, -1).permute(0, 3, 1, 2))[0]
        decoder = tracker.mask_decoder
        embeddings = [decoder.conv_s0(levels[0]), decoder.conv_s1(levels[1]), levels[2]]
        found = tracker(image_embeddings=embeddings, input_points=points)
    assert torch.equal(found.pred_masks, expected.pred_masks)
    assert torch.equal(found.iou_scores, expected.iou_scores)
    assert expected.pred_masks.std() > 0.01


def test_a_detector_alone_has_no_tracker(tmp_path: Path) -> None:
    sam3, _ = save_pair(tmp_path)

    assert load_tracker(str(sam3), CPU, detector_of(sam3)) is None


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("tracker_model.mask_decoder.iou_token.weight", "mask_decoder.iou_token.weight"),
        ("tracker_neck.fpn_layers.0.proj1.bias", "vision_encoder.neck.fpn_layers.0.proj1.bias"),
        (
            "tracker_model.prompt_encoder.shared_embedding.positional_embedding",
            "prompt_encoder.shared_embedding.positional_embedding",
        ),
    ],
)
def test_a_tracker_that_lacks_a_weight_is_refused_by_name(
    folder: Path, gone: str, named: str
) -> None:
    detector = detector_of(folder)
    weights = load_file(folder / "model.safetensors")
    del weights[gone]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(
        ConfigError, match=rf"no complete Sam3TrackerModel: 1 weights are missing \(such as {named}"
    ):
        load_tracker(str(folder), CPU, detector)


def test_weights_of_a_tracker_that_nobody_knows_are_refused_by_name(folder: Path) -> None:
    detector = detector_of(folder)
    weights = load_file(folder / "model.safetensors")
    weights["tracker_model.left.over"] = torch.zeros(2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ConfigError, match=r"not known to the model \(such as left.over"):
        load_tracker(str(folder), CPU, detector)


def test_names_that_transformers_does_not_read_again_are_refused(folder: Path) -> None:
    """What `save_pretrained` of transformers 5.23 writes would load with a random tracker."""
    detector = detector_of(folder)
    weights = {
        name.replace("tracker_model.", "tracker_model.tracker_model."): weight
        for name, weight in load_file(folder / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ConfigError, match=r"no complete Sam3TrackerModel: .* weights are missing"):
        load_tracker(str(folder), CPU, detector)


def test_a_folder_without_a_model_is_told(folder: Path) -> None:
    detector = detector_of(folder)
    (folder / "config.json").unlink()

    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        load_tracker(str(folder), CPU, detector)

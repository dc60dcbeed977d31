"""Detector and tracker in one file: the published layout, and nothing of the detector changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, Sam3Model, Sam3TrackerModel, Sam3VideoModel

from training.evaluate import WEIGHTS
from training.export import export_sam3, read_detector
from training.network import GRID, TOKENS, new_sam3
from training.tracker_network import new_video, own_weights

#: Of the detector's names and bytes, as they were before there was a tracker beside it. Who trains
#: the detector again measures it again, and writes the new digest here.
DETECTOR = "0d34bb8d6d70791ef03ce3947131383f5dd31442f2c7eb434c044bf6114b4f4a"

CLASSES = (Sam3Model, Sam3TrackerModel, Sam3VideoModel)


@pytest.mark.parametrize("model_class", CLASSES)
def test_every_part_loads_out_of_the_shipped_folder_whole(model_class: type) -> None:
    loaded, info = model_class.from_pretrained(
        WEIGHTS / "sam3", dtype=torch.float32, output_loading_info=True
    )
    assert not any(info.values()), info
    assert isinstance(loaded, model_class)


def test_the_shipped_detector_is_the_one_that_was_measured() -> None:
    detector = read_detector(WEIGHTS / "sam3")
    digest = hashlib.sha256()
    for name in sorted(detector):
        digest.update(f"{name} {detector[name].dtype} {tuple(detector[name].shape)}\n".encode())
        digest.update(detector[name].numpy().tobytes())
    assert digest.hexdigest() == DETECTOR


def test_the_detector_out_of_both_layouts_says_the_same(tmp_path: Path) -> None:
    detector = new_sam3()
    detector.load_state_dict(read_detector(WEIGHTS / "sam3"))
    detector.half().save_pretrained(tmp_path)
    tokens = AutoTokenizer.from_pretrained(WEIGHTS / "sam3")(["red circle"], return_tensors="pt")
    pixels = torch.rand(1, 3, 160, 160) * 2 - 1
    with torch.inference_mode():
        alone, beside = (
            Sam3Model.from_pretrained(folder, dtype=torch.float32)
            .eval()(pixel_values=pixels, **tokens)
            .to_tuple()
            for folder in (tmp_path, WEIGHTS / "sam3")
        )
    assert len(alone) == len(beside) > 3
    for one, other in zip(alone, beside, strict=True):
        if isinstance(one, torch.Tensor):
            assert torch.equal(one, other)


def test_the_image_and_the_prompts_are_measured_alike() -> None:
    weights = load_file(WEIGHTS / "sam3" / "model.safetensors")
    shared = weights["tracker_model.shared_image_embedding.positional_embedding"]
    prompts = weights["tracker_model.prompt_encoder.shared_embedding.positional_embedding"]
    assert torch.equal(shared, prompts)


def test_the_sizes_fit_the_detector_s() -> None:
    tracker = Sam3TrackerModel.from_pretrained(WEIGHTS / "sam3")
    assert tracker.prompt_encoder.image_embedding_size == (TOKENS, TOKENS)
    assert tracker.backbone_feature_sizes[0] == [GRID, GRID]
    assert tracker.prompt_encoder.input_image_size == 160


def test_writing_a_tracker_again_keeps_the_detector_s_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "sam3"
    detector = read_detector(WEIGHTS / "sam3")
    trained = own_weights(Sam3TrackerModel.from_pretrained(WEIGHTS / "sam3", dtype=torch.float32))
    trained["mask_decoder.iou_token.weight"].fill_(0.25)

    export_sam3(detector, folder, trained)

    again = read_detector(folder)
    assert again.keys() == detector.keys()
    assert all(torch.equal(again[name], detector[name]) for name in detector)
    tracker = Sam3TrackerModel.from_pretrained(folder, dtype=torch.float32)
    assert (tracker.mask_decoder.iou_token.weight == 0.25).all()
    shipped = load_file(WEIGHTS / "sam3" / "model.safetensors")
    written = load_file(folder / "model.safetensors")
    same = [name for name in shipped if torch.equal(shipped[name], written[name])]
    assert set(shipped) - set(same) == {"tracker_model.mask_decoder.iou_token.weight"}


def test_an_untrained_tracker_is_the_same_every_time() -> None:
    detector = new_sam3().state_dict()
    first, second = new_video(detector).state_dict(), new_video(detector).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_of_no_tracker_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no weights of a tracker: tracker_model\.nonsense"):
        new_video({}, {"nonsense": torch.zeros(1)})

"""The shipped weights: they load as the published classes, and they still know shapes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerBase,
    Sam3Model,
)

from training.evaluate import WEIGHTS, evaluate_clip, evaluate_sam3
from training.forward import forward_pairs
from training.predict import mask_iou, segment, suppress
from training.samples import (
    LARGE,
    PROMPTS,
    SAMPLES,
    ground_truth,
    large,
    large_truth,
    sample_scenes,
)
from training.scenes import HELD_OUT_SEED, Scene, draw_scene

MEGABYTES = 1_000_000


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(HELD_OUT_SEED + 1000 + index) for index in range(20)]


@pytest.fixture(scope="module")
def sam3() -> Sam3Model:
    return Sam3Model.from_pretrained(WEIGHTS / "sam3", dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(WEIGHTS / "sam3")


def test_weights_are_small_and_readable_by_all() -> None:
    files = [file for name in ("sam3", "clip") for file in (WEIGHTS / name).iterdir()]
    assert sum(file.stat().st_size for file in files) < 12 * MEGABYTES
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in files)
    assert {file.suffix for file in files} == {".safetensors", ".json"}


def test_sam3_finds_most_held_out_objects(
    sam3: Sam3Model, tokenizer: PreTrainedTokenizerBase, scenes: list[Scene]
) -> None:
    figures = evaluate_sam3(sam3, tokenizer, scenes)
    assert figures.f1 > 0.8
    assert figures.mean_iou > 0.75
    assert figures.absent_rejected > 0.9


def test_clip_names_most_crops(scenes: list[Scene]) -> None:
    model = CLIPModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32).eval()
    processor = CLIPImageProcessorPil.from_pretrained(WEIGHTS / "clip")
    figures = evaluate_clip(
        model, AutoTokenizer.from_pretrained(WEIGHTS / "clip"), processor, scenes
    )
    assert figures["top1"] > 0.8


@torch.inference_mode()
def test_training_s_forward_pass_equals_the_published_one(
    sam3: Sam3Model, tokenizer: PreTrainedTokenizerBase
) -> None:
    pixels = torch.rand(2, 3, sam3.config.image_size, sam3.config.image_size) * 2 - 1
    tokens = tokenizer(["red circle", "the blue stars"], padding=True, return_tensors="pt")
    expected = sam3(pixel_values=pixels, **tokens)
    vision = sam3.get_vision_features(pixels)
    text = sam3.get_text_features(**tokens).pooler_output
    outputs = forward_pairs(
        sam3,
        tuple(vision.fpn_hidden_states[:3]),
        vision.fpn_position_encoding[2][:1],
        text,
        tokens["attention_mask"].bool(),
        image_of_pair=torch.arange(2),
    )
    assert torch.allclose(outputs.logits[-1], expected.pred_logits, atol=1e-4)
    assert torch.allclose(outputs.presence[-1], expected.presence_logits[:, 0], atol=1e-4)


def test_an_unknown_word_finds_nothing(sam3: Sam3Model, tokenizer: PreTrainedTokenizerBase) -> None:
    (found,) = segment(sam3, tokenizer, draw_scene(HELD_OUT_SEED).image, ["zebra"])
    assert len(found.scores) == 0


def test_suppression_keeps_the_best_of_duplicates() -> None:
    masks = np.zeros((3, 10, 10), bool)
    masks[0, :5], masks[1, :6], masks[2, 8:] = True, True, True
    assert suppress(masks, 0.5) == [0, 2]
    assert suppress(masks, 1.0) == [0, 1, 2]
    assert mask_iou(masks[0], masks[1]) == pytest.approx(5 / 6)
    assert mask_iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0


def test_samples_on_disk_are_those_the_script_draws() -> None:
    scenes = sample_scenes()
    stored = json.loads((SAMPLES / "ground_truth.json").read_text())
    assert stored == json.loads(json.dumps(ground_truth(scenes)))
    assert {image["file_name"] for image in stored["images"]} == {
        path.relative_to(SAMPLES).as_posix() for path in Path(SAMPLES).rglob("*.jpg")
    }
    assert len(scenes) == 24


def test_the_large_sample_on_disk_is_the_one_the_script_draws() -> None:
    stored = json.loads((LARGE / "ground_truth.json").read_text())
    assert stored == json.loads(json.dumps(large_truth(large())))
    [image] = stored["images"]
    with Image.open(LARGE / image["file_name"]) as picture:
        assert picture.size == (image["width"], image["height"]) == (1_920, 1_280)


def test_one_sample_prompt_is_absent_everywhere() -> None:
    stored = json.loads((SAMPLES / "ground_truth.json").read_text())
    used = {annotation["category_id"] for annotation in stored["annotations"]}
    names = {category["id"]: category["name"] for category in stored["categories"]}
    assert [names[number] for number in sorted(names)] == [prompt.text for prompt in PROMPTS]
    assert {names[number] for number in set(names) - used} == {"purple cross"}

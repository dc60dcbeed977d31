from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import httpx
from safetensors.torch import load_file, save_file
from small_models import find, save_pair, save_video, scene, small_sam3
from transformers import Sam3Config, Sam3Model, Sam3VideoModel

from maskpool.errors import ConfigError, SpecError
from maskpool.model_aliases import BUILT_IN_MODELS, ModelAlias
from maskpool.settings import load_settings
from workers.models.load import (
    choose_device,
    load_for,
    load_models,
    load_scorer,
    load_segmenter,
)
from workers.models.sam3.segmenter import map_cells

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return save_pair(tmp_path_factory.mktemp("models"))


@pytest.fixture
def pair(saved: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy that a test may spoil."""
    copies = tmp_path / "sam3", tmp_path / "clip"
    for source, copy in zip(saved, copies, strict=True):
        shutil.copytree(source, copy)
    return copies


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_pair_of_folders_is_ready_for_work(
    saved: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    models = load_models(ModelAlias(sam3=str(saved[0]), clip=str(saved[1]), cells=32), device="cpu")

    with models.engine() as engine:
        found = engine.submit(scene(60, 80), ("red circle",)).result(60).found
        scored = engine.score([scene(20, 20)], ("red", "blue")).result(60)

    assert found
    assert scored.similarities.shape == (1, 2)
    assert models.device == "cpu"
    assert engine.micro_batch == 2
    assert "M parameters" in models.description
    assert models.description.endswith("on CPU, fp32")
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "")


def test_an_alias_that_says_other_maps_than_its_model_draws_is_refused(
    saved: tuple[Path, Path],
) -> None:
    alias = ModelAlias(sam3=str(saved[0]), clip=str(saved[1]))
    settings = load_settings(models={"mine": alias}, model="mine", device="cpu")
    with pytest.raises(ConfigError, match=r"draws masks on maps of 32 cells a side, and .* 288"):
        load_for(settings)


@pytest.mark.parametrize("side", [96, 144])
def test_the_cells_of_a_map_are_those_that_are_drawn(side: int) -> None:
    model = small_sam3(side)
    with torch.inference_mode():
        drawn = model.vision_encoder(torch.zeros(1, 3, side, side)).fpn_hidden_states[0]
    assert drawn.shape[-2:] == (map_cells(model.config), map_cells(model.config))


def test_the_aliases_that_are_built_in_say_the_cells_of_their_models() -> None:
    """The published one is that of its configuration's defaults."""
    demo = load_segmenter(BUILT_IN_MODELS["demo"].sam3, CPU)
    assert demo.map_cells == BUILT_IN_MODELS["demo"].cells
    assert map_cells(Sam3Config()) == BUILT_IN_MODELS["sam3"].cells


def test_half_precision_files_are_held_in_full(pair: tuple[Path, Path]) -> None:
    Sam3Model.from_pretrained(pair[0]).half().save_pretrained(pair[0])
    assert load_file(pair[0] / "model.safetensors")["text_projection.weight"].dtype == torch.half

    segmenter = load_segmenter(str(pair[0]), CPU)

    assert {weight.dtype for weight in segmenter._model.parameters()} == {torch.float32}
    assert not segmenter._model.training


@pytest.fixture(scope="module")
def video_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sam3VideoModel]:
    """The layout of the published checkpoint: detector, tracker and the tracker's neck."""
    folder = tmp_path_factory.mktemp("video")
    return folder, save_video(folder)


def test_the_detector_loads_out_of_a_published_video_checkpoint(
    video_checkpoint: tuple[Path, Sam3VideoModel],
) -> None:
    folder, video = video_checkpoint
    written = load_file(folder / "model.safetensors")
    assert any(key.startswith("tracker_model.") for key in written)
    assert any(key.startswith("tracker_neck.") for key in written)

    segmenter = load_segmenter(str(folder), CPU)

    expected = video.detector_model.state_dict()
    loaded = segmenter._model.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)
    assert find(segmenter, [scene(50, 60)], ["red circle"])


def test_a_video_checkpoint_without_all_of_its_detector_is_refused(
    video_checkpoint: tuple[Path, Sam3VideoModel], tmp_path: Path
) -> None:
    folder = tmp_path / "video"
    shutil.copytree(video_checkpoint[0], folder)

    def drop(weights: dict[str, torch.Tensor]) -> None:
        del weights["detector_model.text_projection.weight"]

    change_weights(folder, drop)

    with pytest.raises(
        ConfigError, match=r"1 weights are missing \(such as text_projection.weight"
    ):
        load_segmenter(str(folder), CPU)


def test_missing_weights_are_refused_by_name(pair: tuple[Path, Path]) -> None:
    def drop(weights: dict[str, torch.Tensor]) -> None:
        del weights["detr_decoder.presence_head.layer1.weight"]
        # A norm that is missing would pass as ones without anybody noticing.
        del weights["detr_decoder.output_layer_norm.weight"]

    change_weights(pair[0], drop)

    with pytest.raises(
        ConfigError,
        match=r"no complete Sam3Model: 2 weights are missing \(such as "
        r"detr_decoder.output_layer_norm.weight, detr_decoder.presence_head.layer1.weight",
    ):
        load_segmenter(str(pair[0]), CPU)


@pytest.mark.parametrize("which", [0, 1])
def test_weights_nobody_knows_are_refused_by_name(pair: tuple[Path, Path], which: int) -> None:
    change_weights(pair[which], lambda weights: weights.update({"left.over": torch.zeros(2)}))

    with pytest.raises(
        ConfigError, match=r"1 weights are not known to the model \(such as left.over"
    ):
        (load_segmenter, load_scorer)[which](str(pair[which]), CPU)


def test_weights_of_another_shape_are_refused_by_name(pair: tuple[Path, Path]) -> None:
    change_weights(pair[1], lambda w: w.update({"visual_projection.weight": torch.zeros(3, 3)}))

    with pytest.raises(ConfigError, match=r"1 weights are of another shape \(such as visual_proj"):
        load_scorer(str(pair[1]), CPU)


def test_position_numbers_of_old_checkpoints_are_no_fault(pair: tuple[Path, Path]) -> None:
    name = "text_model.embeddings.position_ids"
    change_weights(pair[1], lambda weights: weights.update({name: torch.arange(32)[None]}))

    scorer = load_scorer(str(pair[1]), CPU)

    assert np.isfinite(scorer.similarities([scene(20, 20)], ["red"])).all()


def test_pickled_weights_are_never_read(pair: tuple[Path, Path]) -> None:
    torch.save(load_file(pair[0] / "model.safetensors"), pair[0] / "pytorch_model.bin")
    (pair[0] / "model.safetensors").unlink()

    with pytest.raises(ConfigError, match=r"cannot be loaded: .*safetensors"):
        load_segmenter(str(pair[0]), CPU)


def test_a_broken_file_is_told(pair: tuple[Path, Path]) -> None:
    weights = pair[0] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_segmenter(str(pair[0]), CPU)


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        load_segmenter(str(tmp_path), CPU)


def test_a_folder_of_another_model_is_told(pair: tuple[Path, Path]) -> None:
    config = pair[1] / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "no-such"}))

    with pytest.raises(ConfigError, match=f"{pair[1]} holds a model of type 'no-such'"):
        load_scorer(str(pair[1]), CPU)
    with pytest.raises(ConfigError, match=r"holds a model of type 'sam3'; wanted .* a CLIPModel"):
        load_scorer(str(pair[0]), CPU)


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "~/nowhere", "a/b/c"])
def test_a_folder_that_is_absent_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=f"model folder {name} does not exist"):
        load_segmenter(name, CPU)


def test_a_hub_without_network_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(
        ConfigError, match=r"could not be reached \(offline\?\); fetch it .*hf download some/model"
    ):
        load_segmenter("some/model@main", CPU)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (GatedRepoError, r"some/model is gated: accept its licence at https://.*HF_TOKEN"),
        (RepositoryNotFoundError, r"the hub knows no model some/model"),
        (RevisionNotFoundError, r"some/model has no revision 'v9'"),
    ],
)
def test_what_the_hub_answers_is_told(
    monkeypatch: pytest.MonkeyPatch, error: Any, says: str
) -> None:
    response = httpx.Response(403, request=httpx.Request("GET", "https://huggingface.co"))

    def refuse(name: str, **options: Any) -> None:
        assert (name, options["revision"]) == ("some/model", "v9")
        raise OSError("You are trying to access …") from error("403", response=response)

    monkeypatch.setattr(Sam3Model.config_class, "get_config_dict", refuse)

    with pytest.raises(ConfigError, match=says):
        load_segmenter("some/model@v9", CPU)


def test_an_alias_is_chosen_by_the_settings(saved: tuple[Path, Path]) -> None:
    alias = ModelAlias(sam3=str(saved[0]), clip=str(saved[1]), cells=32)
    threads = torch.get_num_threads()
    try:
        settings = load_settings(
            models={"mine": alias}, model="mine", device="cpu", torch_threads=1
        )
        assert load_for(settings).device == "cpu"
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
    with pytest.raises(SpecError, match="'other' is not known"):
        load_for(load_settings(model="other"))


@pytest.mark.parametrize(
    ("wanted", "cuda", "device"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, wanted: str, cuda: int, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)

    assert str(choose_device(wanted)) == device


@pytest.mark.parametrize(
    ("wanted", "cuda", "says"),
    [
        ("cuda", 0, "sees no CUDA device"),
        ("cuda:2", 2, r"sees 2 CUDA device"),
        ("tpu", 0, "'tpu' is not auto, cpu, cuda or cuda:N"),
        ("cuda:x", 1, "is not auto"),
    ],
)
def test_devices_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, wanted: str, cuda: int, says: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)

    with pytest.raises(ConfigError, match=says):
        choose_device(wanted)


def test_the_small_models_differ_in_their_queries() -> None:
    """Guards the other tests: a constant model would agree with anything."""
    assert small_sam3().detr_decoder.query_embed.weight.std() > 0.1

"""Model folders that carry code: none of it runs, whether the folder is of use or not."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile.messages import Touch
from safetensors.torch import load_file
from small_models import save_pair

from maskpool.errors import ConfigError
from workers.models.load import load_scorer, load_segmenter

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return save_pair(tmp_path_factory.mktemp("models"))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What would be there if any code had run."""
    return tmp_path / "canary"


@pytest.fixture(params=["sam3", "clip"])
def hostile(
    request: pytest.FixtureRequest, saved: tuple[Path, Path], tmp_path: Path
) -> tuple[Path, Callable[[], object]]:
    """A copy of a model's folder to spoil, and how it is loaded."""
    folder = tmp_path / request.param
    shutil.copytree(saved[request.param == "clip"], folder)
    load = load_scorer if request.param == "clip" else load_segmenter
    return folder, lambda: load(str(folder), CPU)


def poison(path: Path, canary: Path) -> None:
    path.write_bytes(pickle.dumps({"weight": Touch(canary)}, protocol=2))


def code(folder: Path, canary: Path) -> None:
    """Modules under every name that the files below give."""
    text = f"import pathlib\npathlib.Path({str(canary)!r}).touch()\nclass Evil: pass\n"
    for name in ("evil", "configuration_evil", "modeling_evil", "tokenization_evil", "__init__"):
        (folder / f"{name}.py").write_text(text)


def change(path: Path, **more: Any) -> None:
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **more}))


def test_the_canary_sings(tmp_path: Path, canary: Path) -> None:
    """Guards the other tests: what they plant does run where it is let."""
    poison(tmp_path / "evil.bin", canary)
    pickle.loads((tmp_path / "evil.bin").read_bytes())
    assert canary.exists()


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.bin", "model.pt", "model.ckpt", "tf_model.h5", "model.pkl"]
)
def test_pickles_alone_are_refused(
    hostile: tuple[Path, Callable[[], object]], canary: Path, name: str
) -> None:
    folder, load = hostile
    (folder / "model.safetensors").unlink()
    poison(folder / name, canary)
    with pytest.raises(
        ConfigError, match=f"^the model in {folder} cannot be loaded: .*safetensors"
    ):
        load()
    assert not canary.exists()


def test_a_pickle_that_is_called_safetensors_is_refused(
    hostile: tuple[Path, Callable[[], object]], canary: Path
) -> None:
    folder, load = hostile
    poison(folder / "model.safetensors", canary)
    with pytest.raises(ConfigError, match=f"^the model in {folder} cannot be loaded: "):
        load()
    assert not canary.exists()


@pytest.mark.parametrize("shard", ["evil.bin", "../evil.bin", "pytorch_model-00001-of-00001.bin"])
def test_a_pickle_that_an_index_names_is_refused(
    hostile: tuple[Path, Callable[[], object]], canary: Path, shard: str
) -> None:
    folder, load = hostile
    (folder / "model.safetensors").unlink()
    poison(folder / shard, canary)
    index = {"metadata": {}, "weight_map": {"weight": shard}}
    for name in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        change(folder / name, **index)
    with pytest.raises(ConfigError, match=rf"^{folder}: model\.safetensors\.index\.json names '"):
        load()
    assert not canary.exists()


@pytest.mark.parametrize("index", [b"", b"[]", b"{}", b'{"weight_map": 5}', b"\xff"])
def test_an_index_that_is_none_is_refused(
    hostile: tuple[Path, Callable[[], object]], index: bytes
) -> None:
    folder, load = hostile
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_bytes(index)
    with pytest.raises(ConfigError, match=f"{folder}.* cannot be read"):
        load()


def test_shards_of_safetensors_are_read(hostile: tuple[Path, Callable[[], object]]) -> None:
    folder, load = hostile
    (folder / "model.safetensors").rename(folder / "part-1.safetensors")
    names = load_file(folder / "part-1.safetensors")
    weights = dict.fromkeys(names, "part-1.safetensors")
    change(folder / "model.safetensors.index.json", metadata={}, weight_map=weights)
    load()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "training_args.bin", "optimizer.pt"])
def test_a_pickle_beside_safetensors_is_not_looked_at(
    hostile: tuple[Path, Callable[[], object]], canary: Path, name: str
) -> None:
    folder, load = hostile
    poison(folder / name, canary)
    load()
    assert not canary.exists()


def test_code_of_a_model_that_is_known_is_not_run(
    hostile: tuple[Path, Callable[[], object]], canary: Path
) -> None:
    folder, load = hostile
    code(folder, canary)
    names = {"AutoConfig": "configuration_evil.Evil", "AutoModel": "modeling_evil.Evil"}
    change(folder / "config.json", auto_map=names)
    load()
    assert not canary.exists()


def test_code_of_a_model_that_is_not_known_is_refused(
    hostile: tuple[Path, Callable[[], object]], canary: Path
) -> None:
    folder, load = hostile
    code(folder, canary)
    change(
        folder / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "configuration_evil.Evil", "AutoModel": "modeling_evil.Evil"},
    )
    with pytest.raises(ConfigError, match="holds a model of type 'evil'"):
        load()
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["Evil", "PreTrainedTokenizerFast"])
def test_code_of_a_tokenizer_is_not_run(
    hostile: tuple[Path, Callable[[], object]], canary: Path, kind: str
) -> None:
    folder, load = hostile
    code(folder, canary)
    change(
        folder / "tokenizer_config.json",
        tokenizer_class=kind,
        auto_map={"AutoTokenizer": ["tokenization_evil.Evil", "tokenization_evil.Evil"]},
    )
    try:
        load()
    except ConfigError as error:
        assert str(folder) in str(error)  # noqa: PT017 - which of them is refused is transformers'
    assert not canary.exists()


def test_code_of_a_preparation_is_not_run(
    hostile: tuple[Path, Callable[[], object]], canary: Path
) -> None:
    folder, load = hostile
    code(folder, canary)
    for name in ("preprocessor_config.json", "processor_config.json"):
        change(folder / name, auto_map={"AutoImageProcessor": "evil.Evil"})
    try:
        load()
    except ConfigError as error:
        assert str(folder) in str(error)  # noqa: PT017 - as above
    assert not canary.exists()

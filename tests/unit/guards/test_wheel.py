"""The wheel holds what a pool needs to run, and none of what only this repository needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = {"maskpool", "db", "storage", "shell", "producer", "workers", "web", "clerk"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
WEIGHTS = tuple(f"workers/models/demo/{model}/model.safetensors" for model in ("sam3", "clip"))

#: Of each kind of file that is no module.
NEEDED = (
    *WEIGHTS,
    "workers/models/demo/MODEL_CARD.md",
    "maskpool/glossary/words.csv",
    "db/migrations/env.py",
    "db/migrations/script.py.mako",
    "producer/report/page.html",
    *(f"{room}/py.typed" for room in sorted(ROOMS)),
)

#: Says where the weights lie, and whether the rooms come from the environment that runs it.
PROGRAM = """
import sys
from pathlib import Path
import workers.models.demo as demo
folder = Path(demo.__file__).parent
assert folder.is_relative_to(sys.prefix), folder
for model in ("sam3", "clip"):
    assert (folder / model / "model.safetensors").stat().st_size > 1000, folder
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, without a network: a build leaves files beside its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in sorted(ROOMS | {"training", "tests", "bench"}):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "--wheel-dir", folder, copy],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("maskpool-*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_holds_the_rooms_alone(names: set[str]) -> None:
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == ROOMS


@pytest.mark.parametrize("name", NEEDED)
def test_it_holds_what_is_no_module(names: set[str], name: str) -> None:
    assert name in names


def test_it_holds_every_module_and_migration(names: set[str]) -> None:
    modules = {
        str(file.relative_to(ROOT)) for room in ROOMS for file in (ROOT / room).rglob("*.py")
    }
    assert any(name.startswith("db/migrations/versions/") for name in modules)
    assert modules <= names


def test_it_holds_the_pages(names: set[str]) -> None:
    folder = ROOT / "web" / "studio"
    parts = [folder / name for name in ("locales", "static", "templates")]
    found = [file for part in parts for file in part.rglob("*") if file.is_file()]
    files = {str(file.relative_to(ROOT)) for file in found}
    assert "web/studio/static/shell.js" in files
    assert files <= names


def test_an_installation_finds_its_weights(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps"]
    subprocess.run([*install, "--no-index", wheel], check=True, capture_output=True)
    done = subprocess.run(
        [python, "-I", "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

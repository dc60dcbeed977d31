from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

# Made up: what matters is that it is drawn.
FIGURES = {
    "machine": "none × 1",
    "queue": {
        "rows": [],
        "by_workers": [
            {"workers": 16, "images_per_s": 2000.0, "asked": 2100.0},
            {"workers": 8, "images_per_s": 1000.0, "asked": 1050.0},
        ],
    },
}


@pytest.fixture(scope="module")
def plot() -> ModuleType:
    """The script, which lies beside the packages and not in one."""
    spec = importlib.util.spec_from_file_location("plot", ROOT / "bench" / "plot.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plot"] = module
    spec.loader.exec_module(module)
    return module


def test_a_file_without_curves_is_no_error(
    plot: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot.draw({"queue": {"rows": [], "by_chunk": []}}, tmp_path, "svg") == []
    assert plot.draw({}, tmp_path, "svg") == []
    said = capsys.readouterr().err.splitlines()
    assert said == 2 * [
        "left out bench-by-chunk: no by_chunk in it",
        "left out bench-by-workers: no by_workers in it",
    ]


@pytest.mark.parametrize("form", ["svg", "png"])
def test_what_there_are_figures_for_is_drawn(
    plot: ModuleType, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="no matplotlib: pip install -e '.[bench]'")
    [path] = plot.draw(FIGURES, tmp_path, form)
    assert path == tmp_path / f"bench-by-workers.{form}"
    assert "by_chunk" in capsys.readouterr().err
    once = path.read_bytes()
    assert plot.draw(FIGURES, tmp_path, form) == [path]
    assert path.read_bytes() == once, "the same figures, another file"
    if form == "svg":
        for text in ("1,000", "2,000", "Images a second by number of workers", "none × 1"):
            assert text in once.decode()

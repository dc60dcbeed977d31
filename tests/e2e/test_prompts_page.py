"""Every command of docs/PROMPTS.md as it stands there, and the figures that it promises."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.command_line import maskpool, maskpool_json, processes_naming, serving, until
from services.stack import await_stack

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "PROMPTS.md").read_text()

pytestmark = pytest.mark.slow


def commands(heading: str) -> list[list[str]]:
    """The words of a section's commands, without the program's name."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", section, re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ maskpool "), comments=True) for line in lines]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder in which the page's commands find what they name."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    return tmp_path


def run(desk: Path, words: list[str]) -> dict[str, Any]:
    """A run's dataset; ``found`` counts its masks by image and category."""
    done = maskpool(*words, cwd=desk)
    assert done.returncode == 0, done.stderr
    data = read(desk / words[words.index("-o") + 1] / "coco.json")
    assert not [line for line in done.stderr.splitlines() if line.startswith("maskpool:")]
    return data


def read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text())
    images = {one["id"]: one["file_name"] for one in data["images"]}
    names = {one["id"]: one["name"] for one in data["categories"]}
    data["found"] = Counter(
        (images[one["image_id"]], names[one["category_id"]]) for one in data["annotations"]
    )
    return data


def test_no_command_is_left_out() -> None:
    ours = ["Texts", "A spec file", "Boxes", "Clicks", "Change your mind later"]
    ours.append("Why is it not there?")
    assert sum(len(commands(heading)) for heading in ours) == PAGE.count("\n$ ")


def test_texts_names_and_negatives(desk: Path) -> None:
    [words] = commands("Texts")
    found = run(desk, words)["found"]
    assert found["scene_13.jpg", "round"] == 4
    assert found["scene_13.jpg", "circle, not red circle"] == 0
    assert found["scene_13.jpg", "circle"] == 3
    assert found["crowded/scene_20.jpg", "yellow star"] == 1


def test_a_spec_file_with_stuff(desk: Path) -> None:
    words, schema = commands("A spec file")
    found = run(desk, words)["found"]
    assert (found["scene_13.jpg", "red circle"], found["scene_13.jpg", "circle"]) == (1, 2)
    assert found["scene_05.jpg", "stars"] == 1
    assert max(count for (_, name), count in found.items() if name == "stars") == 1
    assert "max_count" in maskpool(*schema).stdout


def test_every_box_becomes_a_mask_as_good_as_promised(desk: Path) -> None:
    [words] = commands("Boxes")
    found = run(desk, words)["found"]
    assert found == read(ROOT / "samples" / "scenes" / "ground_truth.json")["found"]
    promised = re.search(r"58 boxes: F1 ([\d.]+) at IoU 0\.5, mean IoU ([\d.]+)\.", PAGE)
    assert promised is not None
    summary = json.loads((desk / "out" / "boxes" / "summary.json").read_text())
    assert summary["f1"] >= float(promised[1]) - 0.01
    assert summary["mean_iou"] >= float(promised[2]) - 0.01


def test_clicks_on_five_objects_and_a_box(desk: Path) -> None:
    [words] = commands("Clicks")
    data = run(desk, words)
    assert data["found"] == {
        ("scene_14.jpg", "cross"): 1,
        ("scene_14.jpg", "square"): 1,
        ("scene_14.jpg", "green triangle"): 1,
        ("scene_14.jpg", "circle"): 1,
        ("scene_18.jpg", "blue square"): 1,
        ("scene_18.jpg", "circle"): 1,
    }
    assert all(one["area"] > 0 for one in data["annotations"])
    assert sorted(one["score"] for one in data["annotations"]) == [0.4, *[1.0] * 5]
    # A box that its detector was not sure of is scored like every other mask.
    assert json.loads((desk / "out" / "clicks" / "summary.json").read_text())["f1"] == 1.0
    truth = "samples/scenes/ground_truth.json"
    scored = maskpool_json("eval", "out/clicks/coco.json", truth, cwd=desk)
    # Of six, four are of a class that the truth has.
    assert (scored["objects"], scored["overall"]["f1"]) == (4, 1.0)
    told = maskpool("eval", "out/clicks/coco.json", truth, cwd=desk).stdout
    assert "score ≥ 0.5; masks from boxes and points at any score" in " ".join(told.split())


@pytest.fixture
def pool(desk: Path) -> Iterator[Path]:
    up, *_ = commands("Change your mind later")
    with serving(*up, log=desk / "up.log", cwd=desk):
        await_stack(desk)
        yield desk
    until(lambda: not processes_naming(str(desk / ".maskpool")), seconds=90, what="a clean end")


def test_a_pool_is_read_in_another_way(pool: Path) -> None:
    _, *rest = commands("Change your mind later")
    names = [words[words.index("--name") + 1] for words in rest if words[0] == "submit"]
    for words in rest:
        while names and words[0] in {"results", "export"}:
            assert maskpool("status", "--watch", names.pop(), cwd=pool).returncode == 0
        done = maskpool(*words, cwd=pool)
        assert done.returncode == 0, done.stderr
    for words in commands("Why is it not there?"):
        explained = maskpool(*words, cwd=pool)
        assert explained.returncode == 0, explained.stderr
        assert "circle" in explained.stdout
    # The red one is there again.
    assert read(pool / "all-circles.json")["found"]["scene_13.jpg", "circle"] == 4
    assert read(pool / "boxes.json")["found"] == {
        ("scene_04.jpg", "disc"): 4,
        ("scene_04.jpg", "star"): 1,
    }

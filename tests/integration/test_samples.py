"""A sample at the shell: drawn, told of, and refused where it would say something else."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from maskpool import exits
from producer import cli

#: Runs a verb: its exit code, and what it printed on standard output and error.
Shell = Callable[..., tuple[int, str, str]]

ALL = 7


@pytest.fixture
def shell(
    sqlite_url: str,
    folder_store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    known = {
        "DATABASE_URL": sqlite_url,
        "STORE_URL": folder_store_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "HOME": str(tmp_path / "home"),
        "OWNER": "ann",
        "SOURCE_ROOTS": str(tmp_path),
    }
    for name, value in known.items():
        monkeypatch.setenv(f"MASKPOOL_{name}", value)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["maskpool", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capsys.readouterr()
        code = cli._run()
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(ALL):
        Image.new("RGB", (8, 8)).save(folder / f"{n}.png")
    return folder


def test_a_sample_says_wherever_it_is_listed_of_how_many_it_is(shell: Shell, photos: Path) -> None:
    code, out, err = shell("submit", str(photos), "-p", "a", "--sample", "3", "--name", "few")
    assert code == exits.OK, err
    assert f"submitted: 3 images, a sample of {ALL}" in out
    assert "without --sample" in err

    _, out, _ = shell("ls", "--json")
    [batch] = json.loads(out)
    assert (batch["total"], batch["sample"]) == (3, {"images": 3, "seed": 0, "of": ALL})
    for words in (["ls"], ["status", "few"]):
        _, out, _ = shell(*words)
        assert "sample of" in out.splitlines()[0]
        assert f" {ALL} " in out.splitlines()[1]

    shell("submit", str(photos), "-p", "a", "--name", "whole")
    _, out, _ = shell("status", "whole")
    assert "sample of" not in out


def test_the_same_seed_is_the_same_batch_and_another_one_is_not(shell: Shell, photos: Path) -> None:
    words = ("submit", str(photos), "-p", "a", "--key", "k", "--sample", "3", "--json")
    first, again = (json.loads(shell(*words, "--seed", "5")[1]) for _ in range(2))
    assert (first["id"], first["new"], again["new"]) == (again["id"], True, False)
    code, _, err = shell(*words, "--seed", "6")
    assert code == exits.BAD_INPUT
    assert "which is of a sample of 3 images (seed 5)" in err


def test_a_seed_alone_draws_nothing(shell: Shell, photos: Path) -> None:
    code, _, err = shell("submit", str(photos), "-p", "a", "--seed", "5")
    assert code != exits.OK
    assert "--sample 200" in err


def test_boxes_of_images_that_were_not_drawn_are_not_missed(shell: Shell, photos: Path) -> None:
    boxes = photos.parent / "boxes.json"
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 8, "height": 8} for n in range(ALL)],
        "categories": [{"id": 1, "name": "cone"}],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 4]} for n in range(ALL)
        ],
    }
    boxes.write_text(json.dumps(content))
    words = ("submit", str(photos), "--boxes", str(boxes), "--sample")
    code, out, err = shell(*words, "2", "--strict", "--name", "boxed")
    assert code == exits.OK, err
    assert "submitted: 2 images" in out

    content["annotations"] = content["annotations"][:1]
    boxes.write_text(json.dumps(content))
    # One image of seven has a box, and these two lots are of others.
    seed = next(str(n) for n in range(20) if _refused(shell(*words, "2", "--seed", str(n))))
    code, _, err = shell(*words, "2", "--seed", seed)
    assert code != exits.OK
    assert "no box to any image of the sample" in err


def _refused(answer: tuple[int, str, str]) -> bool:
    return answer[0] != exits.OK

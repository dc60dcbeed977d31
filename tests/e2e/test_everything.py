"""``run`` over a folder of everything: each image is done, fails with a sentence, or is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hostile.everything import make_everything
from hostile.images import MAX_ASPECT, MAX_PIXELS
from hostile.whole import HEIGHT, WIDTH
from services.command_line import maskpool

from producer.sources import open_source
from producer.sources.passed import passed_over

LIMITS = {"MASKPOOL_MAX_IMAGE_PIXELS": str(MAX_PIXELS), "MASKPOOL_MAX_ASPECT": str(MAX_ASPECT)}


@pytest.mark.slow
def test_a_folder_of_everything_ends_with_each_image_right_or_named(tmp_path: Path) -> None:
    folder = tmp_path / "everything"
    made = make_everything(folder)
    out = folder / "out"
    assert len(made.done | made.failed) + made.passed_over.total() >= 200

    words = ("run", str(folder), "-p", "red circle", "-o", str(out), "--overlays", "5")
    done = maskpool(*words, env=LIMITS)

    assert done.returncode == 3, done.stderr
    assert "passed over: 4 linked folders, " in done.stdout
    summary = json.loads((out / "summary.json").read_text())
    failures = {one["image"]: one["error"] for one in summary["failures"]}
    assert set(failures) == made.failed
    for error in failures.values():
        assert len(error) > 10
        assert "Traceback" not in error
    coco = json.loads((out / "coco.json").read_text())
    assert {image["file_name"] for image in coco["images"]} == made.done
    # Some lie on their side, by what their EXIF says.
    assert {frozenset((image["width"], image["height"])) for image in coco["images"]} == {
        frozenset((WIDTH, HEIGHT))
    }
    assert len(coco["images"]) == summary["done"] == len(made.done)
    assert summary["jobs"] == len(made.done) + len(made.failed)
    assert summary["passed_over"] == dict(made.passed_over)
    assert "passed over: 4 linked folders, " in (out / "index.html").read_text()

    # What the run wrote lies inside its own source now.
    source = open_source(str(folder))
    assert {ref.name for ref in source.refs()} == made.done | made.failed
    made.passed_over["folder that maskpool wrote"] += 1
    assert passed_over(source).counts == dict(made.passed_over)
    strict = maskpool(*words, "--strict")
    assert strict.returncode == 2
    assert "4 linked folders ('links/again', …)" in strict.stderr
    assert json.loads((out / "summary.json").read_text()) == summary, "nothing was touched"

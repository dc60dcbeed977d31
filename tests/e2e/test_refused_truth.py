"""Ground truth that would have ended the process, through both verbs that read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from services.command_line import maskpool


def dataset(corner: float | None) -> str:
    polygon = [1, 1, 4, 1, corner, 3]
    mask = {"id": 17, "image_id": 1, "category_id": 1, "segmentation": [polygon]}
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [mask],
        }
    )


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "bad.json", "good.json"),
        ("eval", "good.json", "bad.json"),
        ("run", "photos", "-p", "cat", "-o", "out", "--truth", "bad.json"),
    ],
)
@pytest.mark.parametrize(("corner", "shown"), [(2e8, "200000000.0"), (None, "null")])
def test_a_polygon_that_ended_the_process_is_a_sentence(
    words: tuple[str, ...], corner: float | None, shown: str, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "good.json").write_text(dataset(4))
    (tmp_path / "bad.json").write_text(dataset(corner))
    done = maskpool(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    where = "bad.json: annotation 17 (index 0): polygon (index 0): coordinate"
    assert f"{where} {shown} " in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()

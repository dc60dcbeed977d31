"""Files of boxes that a tool, a typo or an enemy damaged: read, or refused in sentences."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskpool.errors import SourceError
from producer.formats.boxes import Matcher, read_boxes

NAN, INF = float("nan"), float("inf")

COCO = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40},
        {"id": 2, "file_name": "x/b.jpg"},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"id": 10, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 2.5], "iscrowd": 0},
        {"id": 11, "image_id": 2, "category_id": 2, "bbox": [1, 1, 3, 2], "score": 0.5},
    ],
}
LABELME = {
    "imagePath": "a.jpg",
    "imageWidth": 60,
    "imageHeight": 40,
    "shapes": [
        {"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "rectangle", "group_id": 1},
        {"label": "cat", "points": [[2, 2]], "shape_type": "point", "group_id": 1},
        {"label": "dog", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon"},
        {"label": "dog", "points": [[5, 5], [7, 7]], "shape_type": "circle"},
    ],
}
VOC = """<?xml version="1.0" encoding="utf-8"?>
<annotation>
<filename>a.jpg</filename><size><width>60</width><height>40</height></size>
<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>
</object>
</annotation>"""
YOLO = "0 0.5 0.5 0.25 0.25 0.5\n1 0.1 0.1 0.9 0.1 0.5 0.9\n"
YAML = "path: .\nnames:\n  0: cat\n  1: dog\nnc: 2\n"

#: By file, beside what else lies in the folder.
TEXTS = {
    "coco.json": json.dumps(COCO),
    "a.json": json.dumps(LABELME),
    "a.xml": VOC,
    "a.txt": YOLO,
    "data.yaml": YAML,
}


def read(folder: Path, name: str, data: bytes) -> None:
    """Read a file; whatever is read must be fit to be asked for."""
    (folder / name).write_bytes(data)
    given_path = folder if name == "a.txt" else folder / name
    try:
        file = read_boxes(given_path)
    except SourceError as error:
        require_sentence(str(error), folder)
        return
    for problem in file.problems:
        require_sentence(problem, folder)
    matcher = Matcher(file)
    for key in file.images:
        asks = file.asks_of(key)
        width, height = (1, 1) if asks.unit == "fraction" else asks.size or (INF, INF)
        for one in asks.objects:
            assert one.class_name in file.classes
            if one.box_xyxy is not None:
                left, top, right, bottom = one.box_xyxy
                assert 0 <= left < right <= width
                assert 0 <= top < bottom <= height
            assert all(0 <= x <= width and 0 <= y <= height for x, y, _ in one.points)
    assert matcher.unmatched().objects == file.objects


def require_sentence(text: str, folder: Path) -> None:
    """One line that names the file, and that people can read."""
    assert text.startswith(str(folder))
    assert text.isprintable()
    assert len(text) < 600 + 3 * len(str(folder))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boxes")


def around(folder: Path, name: str) -> Path:
    """A folder with the file and what belongs to it, and nothing else."""
    inside = folder / name.replace(".", "_")
    inside.mkdir(exist_ok=True)
    if name in {"a.txt", "data.yaml"}:
        for other in ("a.txt", "data.yaml"):
            (inside / other).write_text(TEXTS[other])
    return inside


junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([1e300, 2**31, 2**63, 10**400, -1, 0, 1, "1", "\ud800", NAN, INF]),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A valid document after some changes: values replaced, dropped, doubled or moved."""
    name, valid = draw(st.sampled_from([("coco.json", COCO), ("a.json", LABELME)]))
    data: Any = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_spots(data))))
        match draw(st.sampled_from(["replace", "drop", "double"])):
            case "replace":
                holder[key] = draw(junk)
            case "drop":
                del holder[key]
            case _ if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
    return name, data


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value, as what holds it and its key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _spots(value[key])


patiently = settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("name", TEXTS)
def test_the_files_themselves_are_read(folder: Path, name: str) -> None:
    inside = around(folder, name)
    read(inside, name, TEXTS[name].encode())
    file = read_boxes(inside if name == "a.txt" else inside / name)
    assert file.problems.count == 0
    assert file.objects > 0


@patiently
@given(mutated())
def test_a_document_with_faults_is_read_or_refused(folder: Path, change: tuple[str, Any]) -> None:
    name, data = change
    read(around(folder, name), name, json.dumps(data).encode())


@patiently
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_a_damaged_file_is_read_or_refused(folder: Path, name: str, data: st.DataObject) -> None:
    text = TEXTS[name].encode()
    start = data.draw(st.integers(0, len(text)))
    size = data.draw(st.integers(0, 12))
    signs = st.text("<>&;:[]{}-.'\"\n\t 0123eE#*!?", max_size=8)
    instead = data.draw(st.binary(max_size=8) | signs.map(str.encode))
    read(around(folder, name), name, text[:start] + instead + text[start + size :])

"""What was given is recognised, or refused with what to give instead."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from maskpool.errors import SourceError
from producer.formats.boxes import Kind, read_boxes

YOLO = "0 0.5 0.5 0.5 0.5"
VOC = "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>"  # noqa: E501
LABELME = json.dumps({"shapes": [], "imagePath": "a.jpg"})
COCO = json.dumps(
    {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}
)


def folder(tmp_path: Path, **files: str) -> Path:
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "given", "kind"),
    [
        ({"a_json": COCO}, "a.json", Kind.COCO),
        ({"coco": COCO}, "coco", Kind.COCO),
        ({"a_json": LABELME}, "a.json", Kind.LABELME),
        ({"a_json": LABELME}, ".", Kind.LABELME),
        ({"a_xml": VOC}, "a.xml", Kind.VOC),
        ({"A_XML": VOC}, "A.XML", Kind.VOC),
        ({"a_xml": VOC, "README_txt": "hello"}, ".", Kind.VOC),
        ({"a_txt": YOLO, "classes_txt": "cat"}, ".", Kind.YOLO),
        ({"labels__a_txt": YOLO, "data_yaml": "names: [cat]"}, "data.yaml", Kind.YOLO),
        ({"labels__a_txt": YOLO, "data_yaml": "names: [cat]", "x_json": COCO}, ".", Kind.YOLO),
        ({"Annotations__a_xml": VOC, "ImageSets__Main__x_txt": "a"}, ".", Kind.VOC),
    ],
)  # fmt: skip
def test_formats_are_recognised(
    tmp_path: Path, files: dict[str, str], given: str, kind: Kind
) -> None:
    file = read_boxes(folder(tmp_path, **files) / given)
    assert file.kind is kind
    assert file.path == tmp_path / given
    assert len(file.images) == 1
    assert list(file.problems) == []


@pytest.mark.parametrize(
    ("files", "given", "said"),
    [
        ({}, "nowhere.json", "nowhere.json: cannot be read: No such file"),
        ({}, "nowhere.xml", "nowhere.xml: is not there"),
        ({}, "nowhere.yaml", "nowhere.yaml: is not there"),
        ({}, ".", "holds no label files (.txt, .xml or .json); give a COCO dataset"),
        ({"a_txt": YOLO}, "a.txt", "is a text file; of YOLO, give the folder of the labels"),
        ({"a_xml": VOC, "b_txt": YOLO}, ".", "holds files of Pascal VOC (a.xml) and YOLO (b.txt)"),
        ({"labels__a_txt": YOLO, "annotations__a_xml": VOC}, ".", "files of Pascal VOC (annot"),
        ({"data_yaml": "names: [cat]"}, "data.yaml", "no label files (.txt) lie below its folder"),
        ({"a_csv": "a,b"}, "a.csv", "line 1: is not JSON: Expecting value; give a COCO"),
        ({"a_json": "{}"}, "a.json", "holds no boxes that maskpool knows; give a COCO dataset"),
        ({"a_json": "3"}, "a.json", "holds no boxes that maskpool knows"),
        ({"a_json": '{"images": []}'}, "a.json", "has no 'annotations'"),
        ({"a_json": '{"annotations": []}'}, "a.json", "has no 'images'"),
        ({"a_json": '{"annotations": 1, "images": []}'}, "a.json", "must be a list of objects"),
        ({"a_json": "[" * 100_000}, "a.json", "is nested too deeply"),
        ({"a_json": '{"a": ' + "9" * 5_000 + "}"}, "a.json", "with thousands of digits"),
        ({"a_json": '{"images": [], "images": []}'}, "a.json", "an object holds 'images' twice"),
        ({"data_yaml": "names: [cat]", "x_txt": ""}, "\0", "is no path of a file"),
    ],
    ids=range(18),
)  # fmt: skip
def test_what_is_none_of_them_is_refused(
    tmp_path: Path, files: dict[str, str], given: str, said: str
) -> None:
    with pytest.raises(SourceError, match=re.escape(said)):
        read_boxes(folder(tmp_path, **files) / given)


def test_pipes_and_links_to_nothing_keep_nobody_waiting(tmp_path: Path) -> None:
    for ending in ("json", "xml"):
        labels = folder(tmp_path / ending, **{f"a_{ending}": LABELME if ending == "json" else VOC})
        os.mkfifo(labels / f"pipe.{ending}")
        (labels / f"link.{ending}").symlink_to("nowhere")
        file = read_boxes(labels)
        assert list(file.images) == ["a"]
        assert [problem.rpartition("/")[2] for problem in file.problems] == [
            f"link.{ending}: is not there",
            f"pipe.{ending}: is no file",
        ]


def test_a_linked_folder_is_entered_once(tmp_path: Path) -> None:
    folder(tmp_path, data__data_yaml="names: [cat]", elsewhere__x__a_txt=YOLO)
    (tmp_path / "data" / "labels").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "x" / "back").symlink_to(tmp_path / "elsewhere")
    assert list(read_boxes(tmp_path / "data").images) == ["x/a"]

"""Boxes of Pascal VOC: pixels from 1, both edges within; a sentence for each object that is bad."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.processor_time import is_linear

from maskpool.errors import SourceError
from producer.formats.boxes import BoxFile, Kind, read_boxes

SIZE = "<size><width>100</width><height>80</height><depth>3</depth></size>"


def thing(box: str, name: str = "cat") -> str:
    """An object; the box is ``xmin ymin xmax ymax``."""
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box.split(), strict=False)
    inside = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
    return f"<object><name>{escape(name)}</name><bndbox>{inside}</bndbox></object>"


def annotation(*objects: str, size: str = SIZE, filename: str = "a.jpg") -> str:
    lines = ["<annotation>", f"<filename>{filename}</filename>{size}", *objects, "</annotation>"]
    return "\n".join(lines)


def read(tmp_path: Path, text: str | bytes) -> BoxFile:
    path = tmp_path / "a.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_boxes(path)


def boxes_of(file: BoxFile, key: str = "a") -> list[object]:
    return [one.box_xyxy for one in file.asks_of(key).objects]


def test_the_whole_image_is_the_whole_image(tmp_path: Path) -> None:
    file = read(tmp_path, annotation(thing("1 1 100 80"), thing("5 6 5 6", "dog")))
    assert (file.kind, file.unit, file.classes) == (Kind.VOC, "pixel", ("cat", "dog"))
    asks = file.asks_of("a")
    assert asks.size == (100, 80)
    assert [one.class_name for one in asks.objects] == ["cat", "dog"]
    assert boxes_of(file) == [(0, 0, 100, 80), (4, 5, 5, 6)]
    assert file.problems.count == 0


def test_what_vocs_own_files_hold_beside(tmp_path: Path) -> None:
    """A file as VOC 2012 has it: with parts, poses and sources."""
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    body = thing("10 20 30 40", "person").replace("</object>", f"{part}</object>")
    extra = (
        "<folder>VOC2012</folder><segmented>0</segmented><source><database>x</database></source>"
    )
    text = annotation(body.replace("<bndbox>", "<difficult>1</difficult><bndbox>", 1))
    file = read(tmp_path, text.replace("<size>", f"{extra}<size>"))
    assert boxes_of(file) == [(9, 19, 30, 40)]
    assert file.classes == ("person",)


@pytest.mark.parametrize(
    "size", ["", "<size/>", "<size><width>0</width><height>0</height></size>"]
)  # fmt: skip
def test_a_size_that_nobody_says_is_not_made_up(tmp_path: Path, size: str) -> None:
    file = read(tmp_path, annotation(thing("0 1 500 400"), size=size))
    assert file.asks_of("a").size is None
    assert boxes_of(file) == [(0, 0, 500, 400)]


@pytest.mark.parametrize(
    ("found", "said"),
    [(thing("5 5 4 9"), "the box is 0 wide and 5 high; both must be above 0"),
     (thing("101 1 110 5"), "the box lies outside of the image of 100×80 pixels"),
     (thing("nan 1 2 3"), "<xmin> 'nan' must be a finite number"),
     (thing("1 1e999 2 3"), "<ymin> '1e999' must be a finite number"),
     (thing("1 1 1_0 3"), "<xmax> '1_0' must be a finite number"),
     (thing("1 1 2"), "<ymax> '' must be a finite number"),
     (thing("1 1 2 x"), "<ymax> 'x' must be a finite number"),
     (thing("1 1 999 5"), "the box reaches to 999, more than half an image beyond"),
     (thing("1 1 5 5", ""), "the class's name is empty"),
     (thing("1 1 5 5", "x" * 300), "the class's name has 300 characters"),
     ("<object><name>cat</name></object>", "the object has no <bndbox>")],
)  # fmt: skip
def test_a_bad_object_costs_only_itself(tmp_path: Path, found: str, said: str) -> None:
    file = read(tmp_path, annotation(thing("1 1 5 5"), found, thing("2 2 5 5")))
    assert boxes_of(file) == [(0, 0, 5, 5), (1, 1, 5, 5)]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/a.xml, line 4: ")
    assert said in problem


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OTHER_FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "a.xml, line 1: is not XML: no element found"),
     ("hello", "line 1: is not XML"),
     (annotation()[:-3], "line 3: is not XML"),
     ("<annotation>\n<object></annotation>", "line 2: is not XML: mismatched tag"),
     ("<html/>", "line 1: begins with <html>; a file of Pascal VOC begins with <annotation>"),
     (BOMB + annotation(thing("1 1 5 5", "&b;")), "line 1: has a document type"),
     (OTHER_FILE + annotation(thing("1 1 5 5", "&a;")), "line 1: has a document type"),
     ('<!DOCTYPE x SYSTEM "http://x.test/x.dtd">' + annotation(), "has a document type"),
     (annotation(thing("1 1 5 5")).replace("cat", "&cat;"), "line 3: is not XML: undefined entity"),
     ("<a>" * 100_000, "line 1: is nested too deeply"),
     ("<annotation>" + " " * 4_000_000, "has more than 4,000,000 bytes"),
     (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "is in an unknown encoding"),
     (b'<?xml version="1.0" encoding="gb2312"?><annotation/>', "is in an unknown encoding"),
     (b"<annotation>\xff</annotation>", "line 1: is not XML: not well-formed"),
     (annotation(size="<size><width>-1</width><height>5</height></size>"), "must be two whole"),
     (annotation(size="<size><width>0</width><height>5</height></size>"), "both must be above 0"),
     (annotation(size="<size><width>9</width></size>"), "must be two whole numbers above 0"),
     (annotation(filename="b.jpg"), "names the image 'b.jpg', and is itself called after another")],
    ids=range(18),
)  # fmt: skip
def test_a_bad_file_is_a_sentence(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/a.xml")
    assert said in str(caught.value)


def test_a_text_in_many_pieces_is_joined_once(tmp_path: Path) -> None:
    def read_pieces(count: int) -> None:
        pieces = "aa<b/>" * count
        file = read(tmp_path, annotation(thing("1 1 5 5"), f"<note>{pieces}</note>"))
        assert boxes_of(file) == [(0, 0, 5, 5)]

    assert is_linear(read_pieces, 5_000, 40_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "utf-8-sig"])
def test_encodings_that_a_file_declares(tmp_path: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?>{annotation(thing("1 1 5 5", "Käse"))}'
    assert read(tmp_path, text.encode(encoding)).classes == ("Käse",)


def test_in_a_folder_a_bad_file_costs_only_itself(tmp_path: Path) -> None:
    for name in ("VOC/Annotations/a.xml", "VOC/Annotations/b.xml", "VOC/ImageSets/Main/train.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "VOC/Annotations/a.xml").write_text(annotation(thing("1 1 5 5")))
    (tmp_path / "VOC/Annotations/b.xml").write_text("<")
    (tmp_path / "VOC/ImageSets/Main/train.txt").write_text("a")
    file = read_boxes(tmp_path / "VOC")
    assert list(file.images) == ["a"]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/VOC/Annotations/b.xml, line 1: is not XML")


@pytest.mark.parametrize("filename", ["", "a", "a.png", "C:\\photos\\a.jpg", "../x/a.jpg"])
def test_the_name_within_may_have_any_folder_and_ending(tmp_path: Path, filename: str) -> None:
    assert list(read(tmp_path, annotation(filename=filename)).images) == ["a"]


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
sides = st.tuples(st.integers(0, 100), st.integers(0, 100)).filter(lambda pair: pair[0] < pair[1])


@given(st.lists(st.tuples(words, sides, sides), max_size=20))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[str, tuple[int, int], tuple[int, int]]],
) -> None:
    size = "<size><width>100</width><height>100</height></size>"
    things = [thing(f"{x[0] + 1} {y[0] + 1} {x[1]} {y[1]}", name) for name, x, y in found]
    file = read(tmp_path_factory.mktemp("voc"), annotation(*things, size=size))
    assert list(file.problems) == []
    read_back = [(one.class_name, one.box_xyxy) for one in file.asks_of("a").objects]
    assert read_back == [(name, (x[0], y[0], x[1], y[1])) for name, x, y in found]

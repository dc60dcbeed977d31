"""Boxes of YOLO: label folders as people have them, and a sentence for each line that is bad."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SourceError
from producer.formats.boxes import BoxFile, Kind, read_boxes


def folder(tmp_path: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def one_line(tmp_path: Path, line: str, names: str = "cat\ndog\n") -> BoxFile:
    """A folder with the line between two good ones."""
    good = "0 0.5 0.5 0.5 0.5\n"
    return read_boxes(folder(tmp_path, {"classes.txt": names, "a.txt": f"{good}{line}\n{good}"}))


def boxes_of(file: BoxFile, key: str = "a") -> list[object]:
    return [one.box_xyxy for one in file.asks_of(key).objects]


MIDDLE = (0.25, 0.25, 0.75, 0.75)


def test_lines_are_boxes_in_fractions(tmp_path: Path) -> None:
    files = {"classes.txt": "cat\nblack dog\n", "a.txt": "1 0.5 0.5 0.2 0.4 0.75\n\n0 .5 .5 1 1\n"}
    file = read_boxes(folder(tmp_path, files | {"b.txt": ""}))
    assert (file.kind, file.unit, file.classes) == (Kind.YOLO, "fraction", ("cat", "black dog"))
    asks = file.asks_of("a")
    assert (asks.unit, asks.size) == ("fraction", None)
    assert [(one.class_name, one.score) for one in asks.objects] == [
        ("black dog", 0.75),
        ("cat", 1),
    ]
    assert boxes_of(file) == [(0.4, 0.3, 0.6, 0.7), (0, 0, 1, 1)]
    assert file.asks_of("b").objects == ()
    assert file.problems.count == 0


def test_a_polygon_counts_as_the_box_around_it(tmp_path: Path) -> None:
    file = one_line(tmp_path, "1 0.1 0.2 0.5 0.1 0.4 0.9")
    assert boxes_of(file)[1] == (0.1, 0.1, 0.5, 0.9)


@pytest.mark.parametrize(
    ("line", "cut"),
    [("0 0 0.5 1 1", (0, 0, 0.5, 1)), ("0 0.95 0.5 0.2 0.2", (0.85, 0.4, 1, 0.6)),
     ("0 1 1 1 1", (0.5, 0.5, 1, 1)), ("0.0 0.5 0.5 0.5 0.5", MIDDLE),
     ("0\t0.5   0.5 5e-1 0.5 \r", MIDDLE)],
)  # fmt: skip
def test_lines_that_are_read(tmp_path: Path, line: str, cut: tuple[float, ...]) -> None:
    file = one_line(tmp_path, line)
    assert boxes_of(file)[1] == cut
    assert file.problems.count == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [("2 .5 .5 .5 .5", "there is no class 2: classes.txt names 2, from 0 on"),
     ("-1 .5 .5 .5 .5", "the class -1 must be a whole number from 0 on"),
     ("1.5 .5 .5 .5 .5", "the class 1.5 must be a whole number"),
     ("cat .5 .5 .5 .5", "'cat' is no number"),
     ("0 .5 .5 .5", "has 4 numbers; a line is a class with"),
     ("0", "has 1 numbers"),
     ("0 .5 .5 .5 .5 .5 .5 .5", "has 8 numbers"),
     ("0 .5 .5 .5 nan", "'nan' is no finite number"),
     ("0 .5 .5 .5 1e999", "'1e999' is no finite number"),
     ("0 .5 .5 .5 0_1", "'0_1' is no number"),
     ("0 .5 .5 .5 ٥", "'٥' is no number"),
     ("0 .5 .5 .5 0", "the box is 0.5 wide and 0 high; both must be above 0"),
     ("0 .5 .5 -.5 .5", "the box is -0.5 wide"),
     ("0 .5 .5 .5 .5 1.5", "the score 1.5 must lie between 0 and 1"),
     ("0 .1 .1 .1 .1 .1 .1", "the box is 0 wide"),
     ("0 320 240 100 50", "the box lies outside of the image, whose coordinates go from 0 to 1"),
     ("0 .5 .5 2.1 .5", "the box reaches to -0.55, more than half an image beyond the image"),
     ("0 .5 .5 1e300 1e300", "more than half an image beyond")],
)  # fmt: skip
def test_a_bad_line_costs_only_itself(tmp_path: Path, line: str, said: str) -> None:
    file = one_line(tmp_path, line)
    assert boxes_of(file) == [MIDDLE, MIDDLE]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/a.txt, line 2: ")
    assert said in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [("0 .5".encode("utf-16"), "is UTF-16; save it as UTF-8"),
     (b"0 .5 .5 .5 .5\n\xff\n", ", line 2: is not UTF-8"),
     (b"0 " * 600_000, ", line 1: is longer than 1,048,576 bytes")],
    ids=["utf-16", "latin-1", "long"],
)  # fmt: skip
def test_a_bad_file_costs_only_itself(tmp_path: Path, content: bytes, said: str) -> None:
    files = {"classes.txt": "cat", "a.txt": content, "b.txt": "0 .5 .5 .5 .5"}
    file = read_boxes(folder(tmp_path, files))
    assert boxes_of(file, "b") == [MIDDLE]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/a.txt")
    assert said in problem


# The folders that tools write.

LINE = "0 0.5 0.5 0.5 0.5\n"


@pytest.mark.parametrize(
    ("files", "given", "keys"),
    [
        ({"data.yaml": "names: [cat]", "labels/train/x.txt": LINE, "labels/val/y.txt": LINE},
         ".", ["train/x", "val/y"]),
        ({"data.yaml": "names: [cat]", "labels/train/x.txt": LINE, "labels/val/y.txt": LINE},
         "data.yaml", ["train/x", "val/y"]),
        ({"data.yaml": "names: [cat]", "labels/train/x.txt": LINE}, "labels", ["train/x"]),
        ({"data.yaml": "names: [cat]", "labels/train/x.txt": LINE}, "labels/train", ["x"]),
        ({"data.yaml": "names: [cat]", "train/labels/x.txt": LINE, "README.roboflow.txt": "hello",
          "valid/labels/x.txt": LINE}, ".", ["train/x", "valid/x"]),
        ({"classes.txt": "cat", "notes.json": "{}", "labels/x.txt": LINE}, ".", ["x"]),
        ({"obj.names": "cat", "train.txt": "a.jpg", "obj_train_data/x.txt": LINE}, ".",
         ["obj_train_data/x"]),
        ({"classes.txt": "cat", "x.jpg": b"", "x.txt": LINE, ".hidden/y.txt": "?"}, ".", ["x"]),
    ],
    ids=range(8),
)  # fmt: skip
def test_folders_of_many_tools(
    tmp_path: Path, files: dict[str, str | bytes], given: str, keys: list[str]
) -> None:
    folder(tmp_path, files)
    file = read_boxes(tmp_path / given)
    assert list(file.images) == keys
    assert all(boxes_of(file, key) == [MIDDLE] for key in keys)
    assert list(file.problems) == []


# Names.


@pytest.mark.parametrize(
    "text",
    ["names: [cat, dog]", "names:\n  0: cat\n  1: dog\n", "names:\n- cat\n- dog\nnc: 2",
     "\ufeffnames: ['cat', \"dog\"]", "path: ../x\ntrain: images\nnames: {1: dog, 0: cat}"],
)  # fmt: skip
def test_names_of_data_yaml(tmp_path: Path, text: str) -> None:
    file = read_boxes(folder(tmp_path, {"data.yaml": text, "a.txt": LINE}))
    assert file.classes == ("cat", "dog")


def test_names_are_taken_as_they_are_written(tmp_path: Path) -> None:
    text = "names: [no, on, 1.0, 2001-02-03, null, ~]"
    file = read_boxes(folder(tmp_path, {"data.yaml": text, "a.txt": LINE}))
    assert file.classes == ("no", "on", "1.0", "2001-02-03", "null", "~")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "must be a mapping with the field 'names'"),
     ("- cat", "line 1: must be a mapping"),
     ("nc: 2", "has no 'names'"),
     ("names: cat", "line 1: must be a mapping"),
     ("names:\n- [cat]", "line 2: has a list or a mapping where a name must stand"),
     ("names:\n  one: cat", "line 2: the class 'one' must be a whole number from 0 on"),
     ("names:\n  -1: cat", "must be a whole number from 0 on"),
     ("names:\n  0: cat\n  0: dog", "line 3: has '0' twice"),
     ("names: [cat]\nnames: [dog]", "line 2: has 'names' twice"),
     ("names: [cat", "line 1: is not YAML"),
     ("names: *cat", "is not YAML"),
     ("a: b\n\tc: d", "line 2: is not YAML"),
     ("names: \x07", "is not YAML"),
     ("names: [cat]\n---\nnames: [dog]", "is not YAML"),
     ("[" * 5_000, "is nested too deeply"),
     ("names: &a [*a]", "has a list or a mapping where a name must stand"),
     ("names: [cat]\nkpt_shape: 3", "kpt_shape must be two whole numbers"),
     ("# " + "x" * 1_000_000, "has more than 1,000,000 bytes")],
    ids=range(18),
)  # fmt: skip
def test_a_bad_data_yaml_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_boxes(folder(tmp_path, {"data.yaml": text, "a.txt": LINE}))
    assert str(caught.value).startswith(f"{tmp_path}/data.yaml")
    assert said in str(caught.value)


def test_a_yaml_of_aliases_upon_aliases_is_no_bomb(tmp_path: Path) -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30)]
    text = "\n".join(["l0: &l0 [lol]", *levels, "names: [cat]"])
    file = read_boxes(folder(tmp_path, {"data.yaml": text, "a.txt": LINE}))
    assert file.classes == ("cat",)


def test_a_name_that_is_refused_costs_its_own_boxes(tmp_path: Path) -> None:
    text = 'names: [cat, "", dog]'
    file = read_boxes(folder(tmp_path, {"data.yaml": text, "a.txt": LINE + "1 .5 .5 .5 .5"}))
    assert file.classes == ("cat", "dog")
    first, second = file.problems
    assert first.startswith(f"{tmp_path}/data.yaml: class 1: the class's name is empty")
    assert second == f"{tmp_path}/a.txt, line 2: class 1 has a name that was refused"


def test_numbers_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"write one name a line into classes\.txt"):
        read_boxes(folder(tmp_path, {"deep/down/in/a.txt": LINE}))


def test_names_of_another_dataset_are_not_taken(tmp_path: Path) -> None:
    folder(tmp_path, {"classes.txt": "cat", "x/y/a.txt": LINE, "x/labels/a.txt": LINE})
    assert read_boxes(tmp_path / "x" / "labels").classes == ("cat",)
    with pytest.raises(SourceError, match="is in it or beside it; write one name a line"):
        read_boxes(tmp_path / "x" / "y")


def test_two_files_that_name_other_classes_are_refused(tmp_path: Path) -> None:
    files = {"classes.txt": "cat\ndog", "data.yaml": "names: [cat, dog]", "a.txt": LINE}
    assert read_boxes(folder(tmp_path, files)).classes == ("cat", "dog")
    (tmp_path / "classes.txt").write_text("dog\ncat")
    with pytest.raises(SourceError, match=r"data\.yaml: names other classes than classes\.txt"):
        read_boxes(tmp_path)


def test_keypoints_are_no_polygon(tmp_path: Path) -> None:
    line = "0 0.5 0.5 0.5 0.5 " + "0.1 0.1 2 " * 2
    files = {"data.yaml": "names: [cat]\nkpt_shape: [2, 3]", "a.txt": line + "\n" + line + ".25"}
    file = read_boxes(folder(tmp_path, files | {"b.txt": LINE}))
    assert boxes_of(file) == [MIDDLE, MIDDLE]
    assert [one.score for one in file.asks_of("a").objects] == [1, 0.25]
    (problem,) = file.problems
    assert "b.txt, line 1: has 5 numbers; a line of this pose dataset has 11" in problem


def test_two_label_files_of_one_image_are_said(tmp_path: Path) -> None:
    files = {"classes.txt": "cat", "labels/a/x.txt": LINE, "a/labels/x.txt": LINE}
    file = read_boxes(folder(tmp_path, files))
    assert list(file.images) == ["a/x"]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/labels/a/x.txt: means the image 'a/x', and so does ")
    assert "'a/labels/x.txt'" in problem


def test_an_empty_line_among_the_names_moves_no_class(tmp_path: Path) -> None:
    names = "cat\n\ndog\n\n \n"
    file = one_line(tmp_path, "2 .5 .5 1 1", names)
    assert file.classes == ("cat", "dog")
    assert file.asks_of("a").objects[1].class_name == "dog"
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/classes.txt: class 1: the class's name is empty")


millionths = st.integers(0, 1_000_000).map(lambda value: value / 1_000_000)
spans = st.tuples(millionths, millionths).filter(lambda pair: pair[1] - pair[0] > 1e-5)
objects = st.lists(st.tuples(st.integers(0, 2), spans, spans, millionths), max_size=20)


@given(objects)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[int, tuple[float, float], tuple[float, float], float]],
) -> None:
    lines = [
        f"{label} {(x[0] + x[1]) / 2:.9f} {(y[0] + y[1]) / 2:.9f} {x[1] - x[0]:.9f} "
        f"{y[1] - y[0]:.9f} {score:.6f}"
        for label, x, y, score in found
    ]
    files = {"classes.txt": "a\nb\nc", "a.txt": "\n".join(lines)}
    file = read_boxes(folder(tmp_path_factory.mktemp("yolo"), dict(files)))
    read = file.asks_of("a").objects
    assert list(file.problems) == []
    assert [(one.class_name, one.score) for one in read] == [("abc"[c], s) for c, _, _, s in found]
    assert [one.box_xyxy for one in read] == [(x[0], y[0], x[1], y[1]) for _, x, y, _ in found]

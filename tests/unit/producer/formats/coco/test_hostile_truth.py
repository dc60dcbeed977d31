"""Ground truth that a tool, a typo or an enemy wrote: read as it is meant, or refused by its place.

A process of its own reads it, with little memory: a crash or a flood there is a red test here.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

READER = Path(__file__).parents[4] / "hostile" / "scripts" / "truth_reader.py"

NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class Reader:
    """The process, and the file that it is given."""

    process: subprocess.Popen[str]
    path: Path

    def read(self, data: Any) -> dict[str, Any]:
        """What becomes of a dataset, or of bytes."""
        self.path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        return self.ask(self.path)

    def ask(self, path: Path) -> dict[str, Any]:
        """What becomes of a file."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(str(path)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the reader died: {self.process.wait(timeout=20)}"
        answer: dict[str, Any] = json.loads(line)
        assert "bug" not in answer, answer
        return answer

    def refusal(self, data: Any) -> str:
        """The sentence of a refusal, behind the path."""
        answer = self.read(data)
        assert "refused" in answer, answer
        sentence: str = answer["refused"]
        assert sentence.startswith(str(self.path))
        assert len(sentence) < 400 + len(str(self.path))
        assert sentence.isprintable()
        return sentence.removeprefix(str(self.path))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path = tmp_path_factory.mktemp("truth") / "truth.json"
    command = [sys.executable, str(READER)]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[5]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root) as one:
        yield Reader(one, path)
        assert one.stdin is not None
        one.stdin.close()


def whole() -> dict[str, Any]:
    """A dataset with every form of a mask that COCO knows."""
    plain = {"size": [4, 6], "counts": [9, 2, 13]}
    common = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 2], "area": 2.5}
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 6, "height": 4},
            {"id": 2, "file_name": "b.jpg", "width": 60, "height": 40},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 10, **common, "iscrowd": 0, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]},
            {"id": 11, **common, "iscrowd": 1, "segmentation": plain},
            {"id": 12, **common, "score": 0.5, "segmentation": {"size": [4, 6], "counts": "92="}},
        ],
    }


def changed(*place: str | int, to: Any) -> dict[str, Any]:
    """The dataset with one value replaced."""
    data = whole()
    spot: Any = data
    for step in place[:-1]:
        spot = spot[step]
    spot[place[-1]] = to
    return data


def test_the_dataset_itself_is_read(reader: Reader) -> None:
    assert reader.read(whole()) == {"images": 2, "masks": 3}


# One field at a time.

NOT_WHOLE = (None, True, False, "1", "x", 1.0, 1.5, NAN, INF, -INF, 1e300, [], [1], {})
NOT_TEXT = (None, True, 1, 1.0, "", [], ["a"], {}, "\ud800.jpg")
NOT_FINITE = (True, "1", "", NAN, INF, -INF, -1, -0.5, [], [1.0], {}, 10**400)
WHOLE = (
    *(("images", 0, field) for field in ("id", "width", "height")),
    ("categories", 0, "id"),
    *(("annotations", 0, field) for field in ("id", "image_id", "category_id", "iscrowd")),
)


def ids(value: Any) -> str:
    return repr(value)[:30].encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize("value", NOT_WHOLE, ids=ids)
@pytest.mark.parametrize("place", WHOLE, ids=ids)
def test_whole_numbers_are_nothing_else(
    reader: Reader, place: tuple[str, int, str], value: Any
) -> None:
    table, _, field = place
    called = {"images": "image 'a.jpg'", "categories": "category 'cat'"}.get(table, "annotation")
    if table == "annotations" and (field != "id" or type(value) is str):
        called = f"annotation {value!r}" if field == "id" else "annotation 10"
    sentence = reader.refusal(changed(*place, to=value))
    assert sentence.startswith(f": {called} (index 0): {field} ")


@pytest.mark.parametrize("value", NOT_TEXT, ids=ids)
@pytest.mark.parametrize("place", [("images", 1, "file_name"), ("categories", 1, "name")], ids=ids)
def test_names_are_texts(reader: Reader, place: tuple[str, int, str], value: Any) -> None:
    sentence = reader.refusal(changed(*place, to=value))
    assert "(index 1): " in sentence
    assert f"{place[2]} " in sentence


@pytest.mark.parametrize("value", NOT_FINITE, ids=ids)
@pytest.mark.parametrize("field", ["area", "score"])
def test_area_and_score_are_finite_numbers(reader: Reader, field: str, value: Any) -> None:
    assert f": annotation 12 (index 2): {field} " in reader.refusal(
        changed("annotations", 2, field, to=value)
    )


@pytest.mark.parametrize("score", [1.01, 87, 10**400, 1e300])
def test_a_score_is_at_most_one(reader: Reader, score: float) -> None:
    assert "score" in reader.refusal(changed("annotations", 2, "score", to=score))


@pytest.mark.parametrize("value", [2, -1, 10**30, "0", "1", "no"])
def test_crowd_is_0_or_1(reader: Reader, value: Any) -> None:
    sentence = reader.refusal(changed("annotations", 1, "iscrowd", to=value))
    assert f"annotation 11 (index 1): iscrowd {json.dumps(value)} must be the number 0" in sentence


@pytest.mark.parametrize(
    ("value", "hint"),
    [(100.0, "100.0 must be a whole number, written without a point: 100"),
     ("100", '"100" must be a whole number, written without quotes'),
     (True, "true must be a whole number"),
     (NAN, "NaN must be a whole number")],
)  # fmt: skip
def test_a_sentence_says_what_is_wrong(reader: Reader, value: Any, hint: str) -> None:
    sentence = reader.refusal(changed("images", 0, "width", to=value))
    assert sentence == f": image 'a.jpg' (index 0): width {hint}"


@pytest.mark.parametrize("size", [0, -1, 10**9, 2**31, 2**63, 2**64, 10**100])
@pytest.mark.parametrize("field", ["width", "height"])
def test_an_images_size_is_within_sense(reader: Reader, field: str, size: int) -> None:
    data = changed("images", 1, field, to=size)
    data["annotations"][0]["image_id"] = 2
    sentence = reader.refusal(data)
    assert "image 'b.jpg' (index 1): width " in sentence


def test_a_large_image_costs_no_memory(reader: Reader) -> None:
    data = whole()
    data["images"][1] |= {"width": 50_000, "height": 40_000}
    square = [1, 1, 4, 1, 4, 3, 1, 3]
    data["annotations"][0] |= {"image_id": 2, "segmentation": [square, [v + 9 for v in square]]}
    assert reader.read(data) == {"images": 2, "masks": 3}


FIELDS = (
    *(("images", field) for field in ("id", "file_name", "width", "height")),
    *(("categories", field) for field in ("id", "name")),
    *(("annotations", field) for field in ("image_id", "category_id", "segmentation")),
)


@pytest.mark.parametrize(("table", "field"), FIELDS)
def test_what_is_missing_is_named(reader: Reader, table: str, field: str) -> None:
    data = whole()
    del data[table][0][field]
    sentence = reader.refusal(data)
    assert "(index 0): has no " in sentence
    assert field in sentence


@pytest.mark.parametrize(
    ("place", "other"),
    [(("images", 1, "id"), "image 'a.jpg' (index 0)"),
     (("images", 1, "file_name"), "image 'a.jpg' (index 0)"),
     (("categories", 1, "id"), "category 'cat' (index 0)"),
     (("categories", 1, "name"), "category 'cat' (index 0)"),
     (("annotations", 2, "id"), "annotation 10 (index 0)")],
    ids=ids,
)  # fmt: skip
def test_ids_and_names_are_unique(reader: Reader, place: tuple[str, int, str], other: str) -> None:
    table, index, field = place
    sentence = reader.refusal(changed(*place, to=whole()[table][0][field]))
    assert f"(index {index}): {field} " in sentence
    assert f" occurs twice: {other} has it, too" in sentence


@pytest.mark.parametrize("value", [3, -1, 10**30])
@pytest.mark.parametrize("field", ["image_id", "category_id"])
def test_what_an_annotation_names_is_in_the_file(reader: Reader, field: str, value: int) -> None:
    sentence = reader.refusal(changed("annotations", 1, field, to=value))
    assert f"annotation 11 (index 1): {field} {value} is not among the ids" in sentence


# Masks.

EVIL_NUMBERS = (2e8, -2e8, 1e300, -1e300, 10**400, INF, -INF, NAN, None, "3", True, [], {}, 13, -7)
OTHER_POLYGONS = (
    *([], [1], [1, 2, 3, 4], [1, 1, 4, 1, 4, 3, 1], None, 1, "1,1,4,1,4,3", True, {}),
    *([[1, 1], [4, 1], [4, 3]], {"x": [1, 4, 4], "y": [1, 1, 3]}),
)


@pytest.mark.parametrize("value", EVIL_NUMBERS, ids=ids)
@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("polygon", [0, 1])
def test_coordinates_are_numbers_near_the_image(
    reader: Reader, polygon: int, place: int, value: Any
) -> None:
    square = [1, 1, 4, 1, 4, 3, 1, 3]
    polygons: list[list[Any]] = [list(square), list(square)]
    polygons[polygon][place] = value
    sentence = reader.refusal(changed("annotations", 0, "segmentation", to=polygons))
    assert f": annotation 10 (index 0): polygon (index {polygon}): " in sentence


@pytest.mark.parametrize("polygon", OTHER_POLYGONS, ids=ids)
def test_a_polygon_is_a_list_of_enough_numbers(reader: Reader, polygon: Any) -> None:
    segmentation = [[1, 1, 4, 1, 4, 3], polygon]
    sentence = reader.refusal(changed("annotations", 0, "segmentation", to=segmentation))
    assert ": annotation 10 (index 0): " in sentence
    assert "(index 1)" in sentence


@pytest.mark.parametrize(
    "polygon",
    [[-0.5, -0.5, 6.5, -0.5, 6.5, 4.5, -0.5, 4.5],
     [-5, -3, 11, -3, 11, 7, -5, 7],
     [5.99, 3.99, 6.01, 3.99, 6.01, 4.01],
     [7, 5, 9, 5, 9, 7],
     [2, 2, 2, 2, 2, 2],
     [0, 0, 6, 4, 0, 0]],
)  # fmt: skip
def test_polygons_that_overshoot_or_have_no_area_are_read(
    reader: Reader, polygon: list[float]
) -> None:
    data = changed("annotations", 0, "segmentation", to=[polygon])
    assert reader.read(data) == {"images": 2, "masks": 3}


def test_an_outline_of_a_size_that_takes_all_memory_is_refused(reader: Reader) -> None:
    data = changed("images", 1, "width", to=20_000)
    data["images"][1]["height"] = 20_000
    zigzag = [value for row in range(2_000) for value in (0, row, 20_000, row)]
    data["annotations"][0] |= {"image_id": 2, "segmentation": [zigzag]}
    assert "annotation 10 (index 0): the outline is " in reader.refusal(data)
    data["annotations"][0]["segmentation"] = [zigzag[:180]]
    assert "masks" in reader.read(data)


EVIL_COUNTS: tuple[Any, ...] = (
    *([], [24.0], [25], [23], [2**62, 2**62, 2**62, 2**62 + 24], [2**63], [2**64 + 24]),
    *([-1, 25], [25, -1], [12, 13, -1], [NAN], [INF], [None], ["24"], [True, 23], [[24]], [{}]),
    *("", "###", "é", "o", "00", "oooooooooooooooooooo", "PPPPPPP1", "7O", "\ud800"),
    # 2^34 again and again: the running sums of a hundred thousand of them pass 2^63.
    "P" * 6 + "8",
    ("PPPPPP7") * 100_000,
    *(None, 24, 1.5, True, {}),
)


@pytest.mark.parametrize("counts", EVIL_COUNTS, ids=ids)
def test_counts_are_those_of_the_image(reader: Reader, counts: Any) -> None:
    segmentation = {"size": [4, 6], "counts": counts}
    sentence = reader.refusal(changed("annotations", 1, "segmentation", to=segmentation))
    assert ": annotation 11 (index 1): " in sentence
    assert "count" in sentence


@pytest.mark.parametrize(
    "size",
    [None, [], [4], [6, 4], [4, 6, 1], [4.0, 6], ["4", "6"], [True, 24], "46", 24, {}, [2, 12],
     [2**32 + 4, 6], [-4, -6], [10**30, 6]],
    ids=ids,
)  # fmt: skip
def test_a_masks_size_is_its_images(reader: Reader, size: Any) -> None:
    for counts in ([24], "h0"):
        segmentation = {"size": size, "counts": counts}
        sentence = reader.refusal(changed("annotations", 1, "segmentation", to=segmentation))
        assert ": annotation 11 (index 1): " in sentence


@pytest.mark.parametrize("segmentation", [None, [], {}, "", 0, True, "92=", [[]], [None], [{}]])
def test_a_segmentation_is_polygons_or_rle(reader: Reader, segmentation: Any) -> None:
    sentence = reader.refusal(changed("annotations", 1, "segmentation", to=segmentation))
    assert ": annotation 11 (index 1): " in sentence


@pytest.mark.parametrize(
    "bbox",
    [[1, 1, 2], [1, 1, 2, 2, 2], [1, 1, -1, 2], [1, 1, 2, -0.1], [NAN, 1, 1, 1], [1, 1, INF, 1],
     [1, 1, 1, None], ["1", 1, 1, 1], [True, 1, 1, 1], [2e8, 0, 1, 1], [0, 0, 1e300, 1],
     [10**400, 0.5, 1.5, 1], [0.5, 1, 1.5, 10**400], [-1e308, 1, 1e308, 1],
     "1,1,2,2", 5, {}, [[1, 1, 2, 2]]],
    ids=ids,
)  # fmt: skip
def test_a_bbox_is_four_numbers_near_the_image(reader: Reader, bbox: Any) -> None:
    sentence = reader.refusal(changed("annotations", 1, "bbox", to=bbox))
    assert ": annotation 11 (index 1): bbox " in sentence


@pytest.mark.parametrize("field", ["bbox", "area", "score"])
def test_what_is_not_used_may_be_null(reader: Reader, field: str) -> None:
    assert "masks" in reader.read(changed("annotations", 1, field, to=None))
    assert "masks" in reader.read(changed("annotations", 1, "bbox", to=[]))


# The file around them.

TEXT = json.dumps(whole())


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", ", line 1: is not JSON"),
     (TEXT[:-1].encode(), ", line 1: is not JSON"),
     (TEXT.replace(", ", ",\n").encode()[:-200], ", line 40: is not JSON"),
     (TEXT.encode("utf-16"), ": is UTF-16; save it as UTF-8"),
     (TEXT.encode("utf-16-be"), ": is UTF-16; save it as UTF-8"),
     (b"\n\n" + TEXT.replace("cat", "\xe9").encode("latin-1"), ", line 3: is not UTF-8"),
     (b"[" * 1_000_000, ": is nested too deeply"),
     (b'{"images":' * 200_000, ": is nested too deeply"),
     (b'{"info": ' + b"9" * 5_000 + b"}", ": holds a whole number with thousands of digits"),
     (b"[]", ": is a list, perhaps of COCO results"),
     (b'[{"image_id": 1, "category_id": 1, "score": 0.5}]', ": is a list, perhaps of COCO results"),
     (b"null", ": is not a COCO dataset"), (b"NaN", ": is not a COCO dataset"),
     (b'"images"', ": is not a COCO dataset"), (b"{}", ": has no 'images'"),
     (TEXT.replace('"categories"', '"images"').encode(), ": an object holds 'images' twice"),
     (TEXT.replace('"width"', '"id"').encode(), ": an object with id 6 holds 'id' twice")],
    ids=ids,
)  # fmt: skip
def test_a_file_is_one_json_object(reader: Reader, data: bytes, said: str) -> None:
    assert said in reader.refusal(data)


def test_a_byte_order_mark_of_utf8_is_passed_over(reader: Reader) -> None:
    assert reader.read(b"\xef\xbb\xbf" + TEXT.encode()) == {"images": 2, "masks": 3}


@pytest.mark.parametrize("table", ["images", "categories", "annotations"])
@pytest.mark.parametrize(
    "rows", [None, {}, "", 1, True, [None], [[]], [1], [{}, "x"], NAN], ids=ids
)
def test_a_table_is_a_list_of_objects(reader: Reader, table: str, rows: Any) -> None:
    assert table[:5] in reader.refusal(whole() | {table: rows})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_more_than_the_memory_holds_is_refused(reader: Reader) -> None:
    assert "memory" in reader.refusal(b'{"images": [' + b"[]," * 12_000_000 + b"[]]}")
    assert reader.read(whole()) == {"images": 2, "masks": 3}


@pytest.mark.parametrize(
    ("path", "said"),
    [("/dev/zero", "is no file"), ("/tmp", "cannot be read: Is a directory"),
     ("/nowhere.json", "cannot be read: No such file")],
)  # fmt: skip
def test_what_is_no_file_is_named(reader: Reader, path: str, said: str) -> None:
    assert reader.ask(Path(path))["refused"].startswith(f"{path}: {said}")


# Everything at once.

junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([2e8, 1e300, 2**31, 2**62, 2**63, 10**400, -1, 0, 1, "1", "0", NAN, INF]),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A valid dataset after some changes: values replaced, dropped, doubled or moved."""
    data = whole()
    for _ in range(draw(st.integers(1, 3))):
        spots = list(_spots(data))
        holder, key = draw(st.sampled_from(spots))
        match draw(st.sampled_from(["replace", "drop", "double", "move"])):
            case "replace":
                holder[key] = draw(junk)
            case "drop":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case _:
                other, place = draw(st.sampled_from(spots))
                holder[key] = copy.deepcopy(other[place])
    return data


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value, as what holds it and its key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _spots(value[key])


patiently = hypothesis_settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow]
)


@patiently
@given(mutated())
def test_a_dataset_with_faults_is_read_or_refused(reader: Reader, data: dict[str, Any]) -> None:
    answer = reader.read(data)
    assert "masks" in answer or reader.refusal(data)


@patiently
@given(st.integers(0, len(TEXT)), st.integers(0, 12), st.binary(max_size=8))
def test_a_damaged_file_is_read_or_refused(
    reader: Reader, start: int, size: int, instead: bytes
) -> None:
    data = TEXT.encode()[:start] + instead + TEXT.encode()[start + size :]
    answer = reader.read(data)
    assert "masks" in answer or reader.refusal(data)

"""Manifests and ground truth that nobody would write: read, or refused by file and line."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.formats.coco.read import read_coco
from producer.report.safe_names import SafeNames
from producer.sources import names, open_source

LISTS = (".csv", ".tsv", ".jsonl", ".ndjson", ".manifest", ".txt")

#: Names and paths that lead out of a folder, are none, or are something else elsewhere.
EVIL = (
    *("..", ".", "/", "//", "../a.png", "a/../../b.png", "/etc/passwd", "~/a.png", "a//b.png"),
    *("C:\\a.png", "\\\\host\\share\\a.png", "a\\..\\b.png", "c:a.png", "con", "NUL.png", "a.png."),
    *(
        "a\0b.png",
        "\ufeffa.png",
        "\ud800.png",
        "a\nb.png",
        "a\rb.png",
        "\x1b[2J.png",
        " ",
        "\u202e",
    ),
    *("file:///etc/passwd", "file://host/a.png", "file:///a%00b", "file:///%2e%2e/a", "file:a.png"),
    *("s3://b/k", "s3://b", "s3:///k", "s3://b/../k", "s3://b/a?b#c", "http://127.0.0.1/a.png"),
    *("https://[::1/a.png", "https://x:99999/a.png", "ftp://h/a", "javascript:1", "://", "a://"),
    *("é.png", "e\u0301.png", "x" * 2_000, "a/" * 600 + "b.png", "-", "=1+1", "%s%n", "${HOME}"),
)

text = st.text(max_size=40) | st.sampled_from(EVIL) | st.sampled_from(["a.png", "b/c.jpg", "uri"])
value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(["uri", "image", "path", "file", "source-ref", "name", "URI", "width"])
line_end = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "", "\x0b", "\u2028", "\0"])
mark = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb"])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _dump(item: object) -> str:
    return json.dumps(item, ensure_ascii=False)


json_line = st.one_of(
    st.dictionaries(fields, value, max_size=4).map(_dump),
    st.fixed_dictionaries({"uri": text}, optional={"name": text}).map(_dump),
    value.map(_dump),
    st.text(max_size=20),
    st.sampled_from(
        ["[" * 5_000, '{"uri":' * 2_000, "1e99999", "NaN", "-0", "9" * 5_000, '"\\ud800"']
    ),
)
row = st.lists(text | st.sampled_from(['"', '""', '"a', "'", ",", ";"]), max_size=4)
csv_lines = st.tuples(
    st.sampled_from(["uri", "image,name", "path;name", "file\tname", "name", "", '"uri","name"']),
    st.lists(st.tuples(row, st.sampled_from(",;\t|")).map(lambda pair: pair[1].join(pair[0]))),
).map(lambda pair: [pair[0], *pair[1]])

manifest = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda start, lines: start + lines, mark, st.binary(max_size=100)),
    st.builds(
        lambda start, lines, end: start + _bytes(end.join(lines)),
        mark,
        st.lists(json_line, max_size=4) | csv_lines,
        line_end,
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("manifests")


patiently = hypothesis_settings(
    deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow]
)


@patiently
@given(suffix=st.sampled_from(LISTS), data=manifest)
@example(suffix=".csv", data=b"")
@example(suffix=".csv", data=b"uri\n\0")
@example(suffix=".csv", data=b"uri\n" + b"x" * 200_000)
@example(suffix=".csv", data=b'uri\n"' + b"x" * 200_000)
@example(suffix=".csv", data=b"uri" + b"," * 200_000)
@example(suffix=".csv", data=b'"uri\nuri"\na.png')
@example(suffix=".csv", data=b"uri\r a.png")
@example(suffix=".jsonl", data=b"\n\n\n")
@example(suffix=".jsonl", data=b"[" * 1_000_000)
@example(suffix=".jsonl", data=b'{"uri": "' + b"x" * (1 << 20) + b'"}')
@example(suffix=".jsonl", data=b'{"uri": "a.png", "name": "\\u0000"}')
@example(suffix=".jsonl", data=b'{"uri": "\\ud800.png"}')
def test_a_manifest_is_read_or_refused_by_file_and_line(
    folder: Path, suffix: str, data: bytes
) -> None:
    path = folder / f"list{suffix}"
    path.write_bytes(data)
    first, refused = _read(path)
    again, refused_again = _read(path)
    assert (first, refused) == (again, refused_again)
    for ref in first:
        assert names.refusal(ref.name) == ""
        assert ref.uri.partition("://")[0] in {"file", "s3", "http", "https"}
        assert ref.uri.isprintable()
        assert not {".", ".."} & set(PurePosixPath(ref.name).parts)
    if refused:
        assert refused.startswith(f"{path}, line ")
        assert len(refused) < 1_000 + len(str(path))
        refused.encode()  # a terminal can take it
    else:
        source = open_source(str(path))
        for name, times in Counter(ref.name for ref in first).items():
            assert len(source.places(name)) == times
        assert source.places("no such name") == []


def _read(path: Path) -> tuple[list[ImageRef], str]:
    """What came before the refusal, and the refusal."""
    refs: list[ImageRef] = []
    try:
        refs.extend(open_source(str(path)).refs())
    except SourceError as error:
        return refs, str(error)
    return refs, ""


@patiently
@given(st.lists(text, max_size=12))
@example(list(EVIL))
def test_no_name_leads_out_of_an_export(wanted: list[str]) -> None:
    safe = SafeNames(".png")
    paths = [str(safe.claim(name)) for name in wanted]
    assert len({path.casefold() for path in paths}) == len(paths)
    for path in paths:
        assert os.path.normpath(f"/export/{path}") == f"/export/{path}"
        assert not PurePosixPath(path).is_absolute()
        assert "\\" not in path
        assert path.isprintable() or all(ord(one) >= 32 for one in path)
        assert all(len(part.encode()) <= 255 for part in path.split("/"))


#: File names that are no UTF-8 come as such surrogates; JSON and CSV bring no others.
@patiently
@given(text.map(lambda one: one.encode("utf-8", "replace").decode()))
@example("a\udcff")
def test_what_is_refused_as_a_name_can_be_shown(name: str) -> None:
    reason = names.refusal(name)
    assert reason == "" or reason.isprintable()
    names.shown(name).encode()
    if not reason:
        assert not {"", ".", ".."} & set(name.split("/"))
        assert "\0" not in name
        assert "\\" not in name


# Ground truth.

number = st.integers() | st.floats() | st.sampled_from([10**30, -1, 0, 2**31, 2**63, 2**64])
box = st.lists(number | text, max_size=10)
segmentation = st.one_of(
    value,
    st.lists(box, max_size=2),
    st.fixed_dictionaries(
        {"size": st.lists(number, max_size=3), "counts": box | st.text(max_size=30) | number}
    ),
    st.fixed_dictionaries({"size": st.just([4, 6]), "counts": box | st.text(max_size=30)}),
)
image = st.fixed_dictionaries(
    {},
    optional={
        "id": number | value,
        "file_name": text,
        "width": st.just(6) | number | value,
        "height": st.just(4) | number | value,
    },
)
label = st.fixed_dictionaries({}, optional={"id": st.just(1) | value, "name": text | value})
annotation = st.fixed_dictionaries(
    {"segmentation": segmentation},
    optional={
        "id": value,
        "image_id": st.just(1) | value,
        "category_id": st.just(1) | value,
        "score": number | value,
        "iscrowd": value,
    },
)
whole_image = st.just({"id": 1, "file_name": "a.png", "width": 6, "height": 4})
whole_label = st.just({"id": 1, "name": "cat"})
ground_truth = st.one_of(
    value,
    st.fixed_dictionaries(
        {
            "images": st.lists(image | whole_image, max_size=2) | value,
            "categories": st.lists(label | whole_label, max_size=2) | value,
            "annotations": st.lists(annotation, max_size=2) | value,
        }
    ),
    st.fixed_dictionaries(
        {
            "images": st.tuples(whole_image).map(list),
            "categories": st.tuples(whole_label).map(list),
            "annotations": st.lists(
                segmentation.map(
                    lambda one: {"image_id": 1, "category_id": 1, "segmentation": one}
                ),
                min_size=1,
                max_size=2,
            ),
        }
    ),
)


def _truth(**annotation: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 6, "height": 4}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"image_id": 1, "category_id": 1, **annotation}],
    }


@patiently
@given(ground_truth)
@example(_truth(image_id=[]))
@example({**_truth(), "images": [{"id": {}, "file_name": "a.png"}]})
@example(_truth(segmentation={"size": [4, 6], "counts": [2**63]}))
def test_ground_truth_is_read_or_refused_by_its_file(folder: Path, data: Any) -> None:
    _check_truth(folder, lambda path: path.write_bytes(_bytes(_dump(data))))


@patiently
@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(orjson.dumps({"images": [], "categories": [], "annotations": []})[:-1])
def test_ground_truth_of_any_bytes_is_refused(folder: Path, data: bytes) -> None:
    _check_truth(folder, lambda path: path.write_bytes(data))


def _check_truth(folder: Path, write: Callable[[Path], object]) -> None:
    path = folder / "truth.json"
    write(path)
    try:
        read = read_coco(path)
    except SourceError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - only where one is raised
        assert len(str(error)) < 2_000 + len(str(path))  # noqa: PT017 - likewise
        return
    for (name, category), masks in read.masks.items():
        assert category in read.categories
        for mask in masks:
            assert mask.runs.size == read.sizes[name]
            assert mask.runs.area <= read.sizes[name][0] * read.sizes[name][1]

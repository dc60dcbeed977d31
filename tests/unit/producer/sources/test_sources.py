from __future__ import annotations

import itertools
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.processor_time import is_within

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import Source, names, open_source
from producer.sources.allowed import Allowed
from producer.sources.globs import glob_regex
from storage.uris import path_of


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def found(source: Source) -> list[str]:
    return [ref.name for ref in source.refs()]


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


# Folders.


def test_a_folder_gives_its_images_sorted_by_their_whole_names(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/1.JPG", "b.tiff", "b-c/x.webp", "ü.jpeg", "Z.bmp", "notes.txt")
    touch(tmp_path, ".hidden/a.jpg", "b/.b.jpg", "noending", "b/d/e/f.gif")

    source = open_source(str(tmp_path))

    expected = ["Z.bmp", "b-c/x.webp", "b.tiff", "b/1.JPG", "b/2.png", "b/d/e/f.gif", "ü.jpeg"]
    assert (source.kind, source.root) == ("folder", tmp_path)
    assert found(source) == expected == sorted(expected, key=str.encode)
    assert found(source) == expected
    assert source.places("b/1.JPG") == [f"{tmp_path}/b/1.JPG"]
    assert source.places("b/9.JPG") == []


def test_uris_lead_back_to_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "a b/100%/#1?.jpg", "ü.png")

    for ref in open_source(f"{tmp_path}/").refs():
        assert path_of(ref.uri) == f"{tmp_path}/{ref.name}"
        assert ref.uri.isascii()
        assert Path(path_of(ref.uri) or "").is_file()


def test_an_empty_folder_is_a_source_without_images(tmp_path: Path) -> None:
    assert found(open_source(str(tmp_path))) == []


def test_links_inside_are_taken_once_and_links_outside_are_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    touch(inside, "a/1.jpg")
    touch(outside, "2.jpg", "notes.txt")
    (inside / "b.jpg").symlink_to(inside / "a" / "1.jpg")
    (inside / "again").symlink_to(inside / "a")
    (inside / "notes.txt").symlink_to(outside / "notes.txt")
    (inside / "gone.jpg").symlink_to(inside / "never.jpg")

    (inside / "lost.jpg").symlink_to("/nowhere/at/all.jpg")
    assert found(open_source(str(inside))) == ["a/1.jpg", "b.jpg", "gone.jpg", "lost.jpg"]
    (inside / "a" / "c.jpg").symlink_to(outside / "2.jpg")
    with pytest.raises(SourceError, match=r"the link 'a/c\.jpg' leaves the folder"):
        found(open_source(str(inside)))


def test_a_linked_folder_may_itself_be_the_source(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    source = open_source(str(tmp_path / "link"))

    assert source.root == tmp_path / "real"
    assert found(source) == ["1.jpg"]


@pytest.mark.parametrize("name", [b"bad\xff.jpg", b"back\\slash.jpg"])
def test_a_file_name_that_cannot_be_a_name_is_refused(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"")

    with pytest.raises(SourceError, match=r"bad\\\\xff|backslash") as caught:
        found(open_source(str(tmp_path)))
    str(caught.value).encode()


def test_a_folder_that_vanishes_is_named(tmp_path: Path) -> None:
    source = open_source(str(tmp_path))
    tmp_path.rmdir()
    with pytest.raises(SourceError, match="No such file"):
        found(source)


# Single images, globs, and what is nothing of all that.


def test_a_single_image_is_a_source(tmp_path: Path) -> None:
    touch(tmp_path, "a.JPEG")
    source = open_source(str(tmp_path / "a.JPEG"))

    assert (source.kind, source.root) == ("image", tmp_path)
    assert list(source.refs()) == [ImageRef("a.JPEG", f"file://{tmp_path}/a.JPEG")]
    assert source.places("a.JPEG") == [f"{tmp_path}/a.JPEG"]


def test_a_linked_image_is_read_where_it_lies(tmp_path: Path) -> None:
    touch(tmp_path, "deep/a.png")
    (tmp_path / "b.png").symlink_to("deep/a.png")
    source = open_source(str(tmp_path / "b.png"))

    assert source.root == tmp_path / "deep"
    assert list(source.refs()) == [ImageRef("b.png", f"file://{tmp_path}/deep/a.png")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/**/*.jpg", ["1.jpg", "a/2.jpg", "a/b/3.jpg"]),
        ("photos/*.jpg", ["1.jpg"]),
        ("photos/*/*.jpg", ["a/2.jpg"]),
        ("photos/**", ["1.jpg", "4.png", "a/2.jpg", "a/b/3.jpg"]),
        ("photos/[!1].*", ["4.png"]),
        ("photos/?.jpg", ["1.jpg"]),
        ("*/a/2.jpg", ["photos/a/2.jpg"]),
        ("**/b/*", ["photos/a/b/3.jpg"]),
        ("photos/*", ["1.jpg", "4.png"]),
        ("photos/x*", []),
    ],
)
def test_a_glob_names_images_below_its_fixed_part(
    tmp_path: Path, pattern: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"photos/{name}" for name in ("1.jpg", "4.png", "a/2.jpg", "a/b/3.jpg")))
    touch(tmp_path, "photos/5.txt", "photos/.6.jpg")
    monkeypatch.chdir(tmp_path)

    relative, absolute = open_source(pattern), open_source(f"{tmp_path}/{pattern}")

    assert relative.kind == "glob"
    assert found(relative) == found(absolute) == expected
    assert all(Path(path_of(ref.uri) or "").is_file() for ref in relative.refs())


@given(
    pattern=st.lists(st.sampled_from(["*", "?", "a", "b", ".", "a*", "*b", "**", "[ab]", "[!a]"]))
    .map("/".join)
    .filter(bool),
    name=st.text("ab./", min_size=1, max_size=8),
)
def test_a_glob_means_what_pathlib_means(pattern: str, name: str) -> None:
    """Where the parts are counted out, pathlib's match is an oracle."""
    parts = name.split("/")
    if "" in parts or "**" in pattern.split("/") or {".", ".."} & {*parts, *pattern.split("/")}:
        return
    same_depth = len(parts) == len(pattern.split("/"))
    expected = same_depth and Path(name).match(pattern)
    assert bool(glob_regex(pattern).fullmatch(name)) == expected


def test_brackets_in_a_name_that_exists_are_no_glob(tmp_path: Path) -> None:
    touch(tmp_path, "set [1]/a.jpg", "b*.png")

    assert found(open_source(f"{tmp_path}/set [1]")) == ["a.jpg"]
    assert found(open_source(f"{tmp_path}/b*.png")) == ["b*.png"]


#: Folders that are named like a pattern, each with a neighbour that the pattern would match.
WILD_NAMES = {
    "p [1]": "p 1",
    "a*b": "a and b",
    "what?": "what1",
    "*": "all",
    "**": "all",
    "[a-c]": "b",
    "[!x]": "y",
    "[": "[[",
    "[]": "]",
    "[z-a]": "z",
    "[a&&b]": "&",
    "[[1]]": "[]",
    "[a--b]": "a",
}


#: What follows such a folder in a glob, and what it finds there.
TAILS = {
    "*.jpg": ["1.jpg"],
    "?.jpg": ["1.jpg"],
    "//*.jpg": ["1.jpg"],
    "*/*.jpg": ["deep [2]/2.jpg"],
    "**/*.jpg": ["1.jpg", "deep [2]/2.jpg"],
    "deep [2]/*": ["2.jpg"],
}


@pytest.mark.parametrize("wild", WILD_NAMES)
@pytest.mark.parametrize("above", ["", "up/", "p [1]/", "x*/y?/"])
@pytest.mark.parametrize("tail", TAILS)
def test_a_folder_that_is_there_as_it_is_written_is_no_pattern(
    tmp_path: Path, wild: str, above: str, tail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (wild, WILD_NAMES[wild]):
        touch(tmp_path, f"{above}{folder}/1.jpg", f"{above}{folder}/deep [2]/2.jpg")
    monkeypatch.chdir(tmp_path)
    pattern = f"{above}{wild}/{tail}"
    for source in (open_source(pattern), open_source(f"{tmp_path}/{pattern}")):
        assert found(source) == TAILS[tail]
        folder = tmp_path / above / wild
        assert source.root in (folder, folder / "deep [2]")
        assert all(Path(path_of(ref.uri) or "").is_relative_to(folder) for ref in source.refs())


@pytest.mark.parametrize("wild", WILD_NAMES)
def test_a_pattern_finds_a_name_that_is_written_like_it(tmp_path: Path, wild: str) -> None:
    touch(tmp_path, f"up/{wild}/1.jpg", f"up/{wild}.jpg")

    assert f"up/{wild}/1.jpg" in found(open_source(f"{tmp_path}/*/{wild}/*.jpg"))
    assert f"up/{wild}.jpg" in found(open_source(f"{tmp_path}/*/{wild}.jpg"))


def test_a_pattern_that_is_no_folder_stays_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "p 1/a.jpg", "p 2/b.jpg", "p [1]x/c.jpg")

    assert found(open_source(f"{tmp_path}/p [12]/*.jpg")) == ["p 1/a.jpg", "p 2/b.jpg"]


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ("none.jpg", "p [1]' is there, and holds no 'none.jpg'"),
        ("deep/none.jpg", "there is no folder '"),
        ("x" * 300 + "[1]/*.jpg", "File name too long"),
    ],
)
def test_a_folder_that_does_not_hold_what_follows_is_named(
    tmp_path: Path, tail: str, said: str
) -> None:
    touch(tmp_path, "p [1]/a.jpg", "p 1/none.jpg")
    with pytest.raises(SourceError) as caught:
        open_source(f"{tmp_path}/p [1]/{tail}")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "write a folder"),
        ("nowhere", "nowhere: there is no such file or folder; write a folder"),
        ("nowhere/*.jpg", "there is no folder 'nowhere'"),
        ("notes.pdf", "neither an image"),
        ("Makefile", "without an ending"),
        ("https://x.org/list.csv", "a list must be a local file"),
        ("https://x.org/LIST.txt?page=2", "a list must be a local file"),
        ("https://ann:hunter2@x.org/a.jpg", "the source: this URL has a user name"),
        ("https:///a.jpg", "no proper host"),
        ("gs://bucket/a", "gs:// is not read"),
        ("a\0b", "is no path"),
        ("pipe", "neither a file nor a folder"),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "notes.pdf", "Makefile")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match=sentence):
        open_source(text)


# Manifests.

KINDS = [".jsonl", ".csv"]


def manifest(folder: Path, kind: str, rows: list[dict[str, str]]) -> str:
    if kind == ".jsonl":
        return write(folder / "m.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    columns = sorted({column for row in rows for column in row})
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    quoted = (",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    return write(folder / "m.csv", "\n".join(quoted) + "\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"uri": "a/1.jpg"}, ("a/1.jpg", "file://{root}/a/1.jpg")),
        ({"image": "./a//1.jpg"}, ("a/1.jpg", "file://{root}/a/1.jpg")),
        ({"path": "b c/ü.jpg"}, ("b c/ü.jpg", "file://{root}/b%20c/%C3%BC.jpg")),
        ({"file": "x/../1.jpg"}, ("1.jpg", "file://{root}/1.jpg")),
        ({"uri": "1.jpg", "name": "one"}, ("one", "file://{root}/1.jpg")),
        ({"uri": "1.jpg", "name": ""}, ("1.jpg", "file://{root}/1.jpg")),
        ({"uri": "{root}/q/1.jpg"}, ("q/1.jpg", "file://{root}/q/1.jpg")),
        ({"uri": "/data/1.jpg"}, ("data/1.jpg", "file:///data/1.jpg")),
        ({"uri": "file:///data/a%20b.jpg"}, ("data/a b.jpg", "file:///data/a%20b.jpg")),
        ({"uri": "file://{root}/1.jpg"}, ("1.jpg", "file://{root}/1.jpg")),
        ({"uri": "s3://bucket/k/1.jpg"}, ("k/1.jpg", "s3://bucket/k/1.jpg")),
        ({"source-ref": "s3://bucket/k/1.jpg"}, ("k/1.jpg", "s3://bucket/k/1.jpg")),
        ({"uri": "s3://bucket/1 2?.jpg", "name": "n"}, ("n", "s3://bucket/1 2?.jpg")),
        ({"uri": "a b.jpg", "other": '1,2"3'}, ("a b.jpg", "file://{root}/a%20b.jpg")),
        ({"url": "https://x.org/k/1.jpg"}, ("x.org/k/1.jpg", "https://x.org/k/1.jpg")),
        ({"uri": "HTTP://X.org:8080/1.jpg"}, ("x.org/1.jpg", "http://x.org:8080/1.jpg")),
        (
            {"uri": "https://x.org/a%20b//../ü\\.jpg?s=1&t=2#f"},
            ("x.org/a b/ü_.jpg", "https://x.org/a%20b//../%C3%BC%5C.jpg?s=1&t=2"),
        ),
        ({"uri": "https://x.org/?id=7", "name": "n"}, ("n", "https://x.org/?id=7")),
        ({"uri": "https://x.org/?id=7"}, ("x.org", "https://x.org/?id=7")),
    ],
)
def test_a_manifests_line_means(
    tmp_path: Path, kind: str, row: dict[str, str], expected: tuple[str, str]
) -> None:
    row = {key: value.replace("{root}", str(tmp_path)) for key, value in row.items()}
    source = open_source(manifest(tmp_path, kind, [row]))

    assert (source.kind, source.root) == (kind[1:], tmp_path)
    name, uri = expected
    assert list(source.refs()) == [ImageRef(name, uri.replace("{root}", str(tmp_path)))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"uri": "http://x.org:25/1.jpg"}, "this URL names port 25"),
        ({"uri": "https://ann:hunter2@x.org/1.jpg"}, "this URL has a user name or password"),
        ({"uri": "https://x.org/" + "n" * 1024}, "1030 bytes, 1024 are allowed"),
        ({"uri": "ftp://x.org/1.jpg"}, "write a path"),
        ({"uri": "file://host/1.jpg"}, "file:///absolute/path"),
        ({"uri": "s3://bucket"}, "is no object"),
        ({"uri": "s3://bucket/folder/"}, "is no object"),
        ({"uri": "s3://k:secret@bucket/1.jpg"}, "is no object"),
        ({"uri": ""}, "must be a path"),
        ({"uri": "a/"}, "no path of a file"),
        ({"uri": "a\0.jpg"}, "no path of a file"),
        ({"uri": "1.jpg", "name": "../1.jpg"}, "a part '.' or '..'"),
        ({"uri": "1.jpg", "name": "/1.jpg"}, "starts or ends with '/'"),
        ({"uri": "1.jpg", "name": "a\\1.jpg"}, "backslash"),
        ({"uri": "1.jpg", "name": "n" * 1025}, "1025 bytes, 1024 are allowed"),
        ({"uri": "photos\\1.jpg"}, "backslash"),
        ({"uri": "s3://bucket/a//1.jpg"}, "two of them in a row"),
    ],
)
def test_a_line_that_is_refused_is_named(
    tmp_path: Path, kind: str, row: dict[str, str], sentence: str
) -> None:
    good = dict.fromkeys(row, "") | {"uri": "0.jpg"}
    source = open_source(manifest(tmp_path, kind, [good, row]))
    line = 2 if kind == ".jsonl" else 3
    if row["uri"] == "" and kind == ".csv":
        row["other"] = "so that the row is not blank"
        source = open_source(manifest(tmp_path, kind, [good, row]))

    stream = source.refs()
    assert next(stream).name == "0.jpg"
    with pytest.raises(SourceError, match=sentence) as caught:
        next(stream)
    assert caught.value.line == line
    assert f"line {line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (b'{"uri": "a.jpg"}\n{"uri": "b.jpg"\n', 2, "is no JSON"),
        (b'\n\n{"link": "a.jpg"}\n', 3, "none of the fields uri, image"),
        (b'{"uri": 7}', 1, "must be a path or a URI, not 7"),
        (b'{"uri": "a.jpg", "name": 7}', 1, "the name must be a text"),
        (b"[1]", 1, "an object or a text"),
        (b'"\xff.jpg"', 1, "is no JSON"),
        (b'"a.jpg"\n"' + b"x" * 1100000 + b'"', 2, "is longer than"),
        ('"a.jpg"\n'.encode("utf-16"), 1, "save the manifest as UTF-8"),
    ],
)
def test_an_unreadable_jsonl_names_its_line(
    tmp_path: Path, text: bytes, line: int, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence) as caught:
        found(open_source(write(tmp_path / "m.jsonl", text)))
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (b"a.jpg\nb.jpg\n", 1, "the first row must name the columns"),
        (b"uri,name\na.jpg,x\nb.jpg\n", 3, "has 1 columns, but the first row names 2"),
        (b"uri,name\na.jpg,x\nb.jpg,y,z\n", 3, "has 3 columns"),
        (b'uri\n"a.jpg\n', 2, "is no CSV"),
        (b'uri,name\n"a\nb.jpg",x\n"c" d,y\n', 4, "is no CSV"),
        (b"uri\na.jpg\n\xff.jpg\n", 3, "save the manifest as UTF-8"),
        ("uri\na.jpg\n".encode("utf-16"), 1, "save the manifest as UTF-8"),
    ],
)
def test_an_unreadable_csv_names_its_line(
    tmp_path: Path, text: bytes, line: int, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence) as caught:
        found(open_source(write(tmp_path / "m.csv", text)))
    assert caught.value.line == line


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_marks_line_ends_and_blank_lines_do_not_matter(
    tmp_path: Path, end: str, mark: str, last: bool
) -> None:
    tail = end if last else ""
    jsonl = mark + end.join(['"a.jpg"', "", "  ", '{"uri": "b.jpg"}']) + tail
    csv = mark + end.join(["uri,name", "a.jpg,", "", ", ", "b.jpg,b.jpg"]) + tail

    assert found(open_source(write(tmp_path / "m.jsonl", jsonl))) == ["a.jpg", "b.jpg"]
    assert found(open_source(write(tmp_path / "m.csv", csv))) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_be_parted_by_semicolons_or_tabs(tmp_path: Path, delimiter: str) -> None:
    text = delimiter.join(["Name", " Image "]) + "\n" + delimiter.join(["x", " a.jpg "]) + "\n"
    (ref,) = open_source(write(tmp_path / "m.csv", text)).refs()

    assert ref == ImageRef("x", f"file://{tmp_path}/a.jpg")


def test_a_plain_list_has_a_path_or_url_on_each_line(tmp_path: Path) -> None:
    text = "\ufeff# june\r\n\r\na b.jpg\n  /data/1.jpg \n#\ns3://bk/k.jpg\n./#2.jpg\n"
    source = open_source(write(tmp_path / "list.TXT", text + "https://x.org/3.jpg?a=#1"))

    assert (source.kind, source.root) == ("txt", tmp_path)
    assert list(source.refs()) == [
        ImageRef("a b.jpg", f"file://{tmp_path}/a%20b.jpg"),
        ImageRef("data/1.jpg", "file:///data/1.jpg"),
        ImageRef("k.jpg", "s3://bk/k.jpg"),
        ImageRef("#2.jpg", f"file://{tmp_path}/%232.jpg"),
        ImageRef("x.org/3.jpg", "https://x.org/3.jpg?a="),
    ]
    assert source.places("k.jpg") == ["line 6"]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (b"a.jpg\n\xff.jpg\n", 2, "save the manifest as UTF-8"),
        ("a.jpg\n".encode("utf-16"), 1, "save the manifest as UTF-8"),
        (b"# a\n\nphotos/\n", 3, "no path of a file"),
        (b"a.jpg\nhttps://u:hunter2@x.org/a.jpg\n", 2, "this URL has a user name"),
    ],
)
def test_an_unreadable_plain_list_names_its_line(
    tmp_path: Path, text: bytes, line: int, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence) as caught:
        found(open_source(write(tmp_path / "m.txt", text)))
    assert caught.value.line == line
    assert "hunter2" not in str(caught.value)


def test_a_url_by_itself_is_one_image() -> None:
    source = open_source("https://x.org/a/1.jpg?sig=hunter2", allowed=Allowed(hosts=("*.org",)))

    assert (source.kind, source.root) == ("web", None)
    assert list(source.refs()) == [ImageRef("x.org/a/1.jpg", "https://x.org/a/1.jpg?sig=hunter2")]
    assert "hunter2" not in source.text
    assert source.places("x.org/a/1.jpg") == ["https://x.org/a/1.jpg…"]
    assert source.places("x.org/a/2.jpg") == []


@pytest.mark.parametrize("hosts", [[], ["y.org"], ["*.x.org"]])
def test_a_host_that_no_worker_reads_is_refused_at_its_line(
    tmp_path: Path, hosts: list[str]
) -> None:
    listed = write(tmp_path / "m.txt", "a.jpg\nhttps://x.org/a.jpg\n")
    with pytest.raises(SourceError, match=r"line 2: .*MASKPOOL_SOURCE_HOSTS.*'x\.org'"):
        found(open_source(listed, allowed=Allowed(hosts=tuple(hosts))))
    with pytest.raises(SourceError, match=r"x\.org/a\.jpg: .*MASKPOOL_SOURCE_HOSTS.*'x\.org'"):
        open_source("https://x.org/a.jpg", allowed=Allowed(hosts=tuple(hosts)))
    more = Allowed(hosts=(*hosts, "x.org"))
    assert found(open_source(listed, allowed=more)) == ["a.jpg", "x.org/a.jpg"]
    assert found(open_source(listed)) == ["a.jpg", "x.org/a.jpg"]


@pytest.mark.parametrize("name", ["m.jsonl", "m.csv", "m.txt"])
def test_an_empty_manifest_is_a_source_without_images(tmp_path: Path, name: str) -> None:
    assert found(open_source(write(tmp_path / name, ""))) == []
    assert found(open_source(write(tmp_path / name, "\ufeff"))) == []


def test_the_places_of_a_name_are_its_lines(tmp_path: Path) -> None:
    jsonl = write(tmp_path / "m.jsonl", '"a.jpg"\n\n"b.jpg"\n{"uri": "c.jpg", "name": "a.jpg"}\n')
    csv = write(tmp_path / "m.csv", 'uri,note\na.jpg,"two\nlines"\nb.jpg,\n./a.jpg,\n')

    assert open_source(jsonl).places("a.jpg") == ["line 1", "line 4"]
    assert open_source(csv).places("a.jpg") == ["line 2", "line 5"]
    assert open_source(csv).places("never.jpg") == []


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_gives_references_or_a_refusal(tmp_path_factory: object, texts: list[str]) -> None:
    folder = Path(tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]
    lines = "\n".join(json.dumps({"uri": text}) for text in texts)
    try:
        for ref in open_source(write(folder / "any.jsonl", lines)).refs():
            assert names.refusal(ref.name) == ""
            assert ref.uri.startswith(("file:///", "s3://", "http://", "https://"))
    except SourceError as error:
        assert error.line is not None  # noqa: PT017 - only where one is raised


def test_a_line_of_a_manifest_takes_little_more_than_its_json(tmp_path: Path) -> None:
    lines = manifest_lines(20_000)
    path = write(tmp_path / "m.jsonl", "".join(lines))

    def read() -> None:
        assert sum(1 for _ in open_source(path).refs()) == len(lines)

    def parse() -> None:
        for line in lines:
            json.loads(line)

    assert is_within(8, read, parse), "2.5 times is usual"


def test_memory_does_not_grow_with_a_manifest(tmp_path: Path) -> None:
    path = write(tmp_path / "m.jsonl", "".join(manifest_lines(20_000)))
    stream = open_source(path).refs()
    next(stream)
    tracemalloc.start()
    for _ in itertools.islice(stream, 10_000):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def manifest_lines(count: int) -> list[str]:
    return [f'{{"uri": "photos/{i // 1000:04}/{i:07}.jpg"}}\n' for i in range(count)]

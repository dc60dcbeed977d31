"""No line of a list is lost or read as another one without a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskpool.errors import SourceError
from producer.sources import open_source


def names_in(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [ref.name for ref in open_source(str(path)).refs()]


COMMENTS = ["#", "# june", "#\tjune", "#june", "##", "#!/bin/sh", "# a.jpg", "#  old/a.jpg", "#1"]
IMAGES = [
    "#1.jpg",
    "#a/b.PNG",
    "##.tif",
    "#1 2.webp",
    "#/data/a.jpg",
    "#s3://bk/a.jpg",
    "#.jpg.jpg",
]


@pytest.mark.parametrize("spaces", ["", " ", "\t"])
@pytest.mark.parametrize("line", COMMENTS)
def test_a_comment_is_passed_over(tmp_path: Path, line: str, spaces: str) -> None:
    text = f"a.jpg\n{spaces}{line}{spaces}\nb.jpg\n"
    assert names_in(tmp_path / "m.txt", text) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("line", IMAGES)
def test_what_may_be_an_image_or_a_comment_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(SourceError, match=r"line 2: .* may be an image or a comment") as caught:
        names_in(tmp_path / "m.txt", f"a.jpg\n{line}\nb.jpg\n")
    assert f"'./{line}'" in str(caught.value)


@pytest.mark.parametrize("line", ["#1", "# a.jpg", "#", "# june", "#x/y"])
def test_a_file_that_is_there_is_no_comment(tmp_path: Path, line: str) -> None:
    (tmp_path / line).parent.mkdir(exist_ok=True)
    (tmp_path / line).touch()
    with pytest.raises(SourceError, match="may be an image or a comment"):
        names_in(tmp_path / "m.txt", f"{line}\n")
    assert names_in(tmp_path / "m.txt", f"./{line}\n") == [line]


@pytest.mark.parametrize("name", [" a.jpg", "a.jpg ", "a.jpg\t", " ", "\u00a0a.jpg", "a.jpg\u3000"])
@pytest.mark.parametrize("kind", ["txt", "csv"])
def test_a_file_with_spaces_at_its_ends_is_not_taken_for_another(
    tmp_path: Path, name: str, kind: str
) -> None:
    head, line = ("uri,n\n", f'"{name}",1') if kind == "csv" else ("", name)
    if name.strip():
        assert names_in(tmp_path / f"m.{kind}", f"{head}{line}\n") == ["a.jpg"]
    (tmp_path / name).touch()
    if not name.strip():
        return
    with pytest.raises(SourceError, match="begins or ends with a space"):
        names_in(tmp_path / f"m.{kind}", f"{head}{line}\n")
    quoted = name.replace("\t", "\\t")
    assert names_in(tmp_path / "m.jsonl", f'"{quoted}"\n') == [name]


ENDS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("count", [2, 3])
def test_lines_that_end_in_another_way_are_not_one_image(
    tmp_path: Path, end: str, count: int
) -> None:
    lines = [f"{number}.jpg" for number in range(count)]
    with pytest.raises(SourceError, match=r"line 1: .*an end of line in it"):
        names_in(tmp_path / "m.txt", end.join(lines) + end)


@pytest.mark.parametrize("field", ["uri", "image", "source-ref", "name"])
def test_two_images_in_one_object_are_refused(tmp_path: Path, field: str) -> None:
    uri = '"uri": "c.jpg", ' if field == "name" else ""
    with pytest.raises(SourceError, match=f"line 2: has the field '{field}' twice"):
        names_in(
            tmp_path / "m.jsonl", f'"0.jpg"\n{{{uri}"{field}": "a.jpg", "{field}": "b.jpg"}}\n'
        )


@pytest.mark.parametrize(
    "line",
    [
        '{"uri": "a.jpg", "other": {"uri": "b.jpg", "name": "c"}}',
        '{"other": [{"uri": "b.jpg"}, {"uri": "c.jpg"}], "uri": "a.jpg"}',
        '{"uri": "a.jpg", "note": "\\"uri\\" \\"uri\\""}',
        '{"uri": "a.jpg", "note": "uri", "also": "name", "more": "name"}',
    ],
)
def test_a_field_deeper_down_is_no_second_image(tmp_path: Path, line: str) -> None:
    assert names_in(tmp_path / "m.jsonl", line) == ["a.jpg"]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("uri,uri", "uri"),
        ("URI, uri ", "uri"),
        ("image;x;image", "image"),
        ("uri,name,Name", "name"),
    ],
)
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str, field: str) -> None:
    with pytest.raises(SourceError, match=f"line 1: names the column '{field}' twice"):
        names_in(tmp_path / "m.csv", f"{header}\n{'a.jpg' + header.count(',') * ',x'}\n")


@pytest.mark.parametrize(("name", "head"), [("m.txt", ""), ("m.csv", "uri\n")])
def test_two_lists_that_were_joined_are_refused_where_they_meet(
    tmp_path: Path, name: str, head: str
) -> None:
    with pytest.raises(SourceError, match="begins with a byte order mark"):
        names_in(tmp_path / name, f"\ufeff{head}a.jpg\n\ufeffb.jpg\n")
    assert names_in(tmp_path / "m.jsonl", '"a.jpg"\n"\\ufeffb.jpg"\n') == ["a.jpg", "\ufeffb.jpg"]


#: Characters that lists stumble over.
_HARD = "ab1#. /\t\r\v\x85\u2028\u00a0\ufeff'\\"
line = st.text(
    st.sampled_from(_HARD) | st.characters(codec="utf-8", exclude_characters="\n"), max_size=8
)


@example(["#/.jpg", "#/..jpg"])
@given(st.lists(line | line.map("{}.jpg".format) | line.map("#{}.jpg".format), max_size=5))
def test_each_line_is_an_image_or_a_comment_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    try:
        found = names_in(path, "\ufeff" + "".join(f"{one}\n" for one in lines))
    except SourceError as error:
        assert error.line is not None  # noqa: PT017 - only where one is raised
        return
    stripped = [one.strip() for one in lines]
    assert len(found) == sum(one != "" and not one.startswith("#") for one in stripped)
    assert not [one for one in stripped if re.fullmatch(r"#\S.*[^/.]\.jpg", one)]


def test_one_image_under_two_spellings_is_one_name(tmp_path: Path) -> None:
    """The batch refuses a name that comes twice, and says where."""
    spellings = ["a.jpg", "./a.jpg", "x/../a.jpg", ".//a.jpg", f"{tmp_path}/a.jpg"]
    spellings.append(f"file://{tmp_path}/a.jpg")
    assert set(names_in(tmp_path / "m.txt", "\n".join(spellings))) == {"a.jpg"}


@pytest.mark.parametrize(
    ("line", "is_right"),
    [
        ("link/../1.jpg", False),
        ("x/link/../../1.jpg", False),
        ("./link/../1.jpg", False),
        ("../in/link/../1.jpg", False),
        ("{}/in/link/../1.jpg", False),
        ("x/../1.jpg", True),
        ("never/../1.jpg", True),
        ("../in/1.jpg", True),
        ("../../{}/in/1.jpg", True),
        ("link/1.jpg", True),
    ],
)
def test_a_path_that_goes_back_from_a_link_is_not_read_as_another(
    tmp_path: Path, line: str, *, is_right: bool
) -> None:
    (tmp_path / "in" / "x").mkdir(parents=True)
    (tmp_path / "far" / "away").mkdir(parents=True)
    for link in ("link", "x/link"):
        (tmp_path / "in" / link).symlink_to(tmp_path / "far" / "away")
    text = line.format(tmp_path if line.startswith("{") else tmp_path.name)
    if is_right:
        assert len(names_in(tmp_path / "in" / "m.txt", text)) == 1
    else:
        with pytest.raises(SourceError, match=r"line 1: .* goes back \('\.\.'\) from a linked"):
            names_in(tmp_path / "in" / "m.txt", text)

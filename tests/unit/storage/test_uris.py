from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.uris import file_uri, path_of, split_s3


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(lambda text: f"/{text}"))
def test_a_path_survives_as_a_uri(path: str) -> None:
    assert path_of(file_uri(path)) == path
    assert file_uri(path).isascii()


@given(st.binary().filter(lambda path: b"\0" not in path))
def test_the_bytes_of_a_path_survive_as_a_uri(path: bytes) -> None:
    uri = file_uri(os.fsdecode(b"/" + path))
    assert uri.isascii()
    assert os.fsencode(path_of(uri) or "") == b"/" + path


def test_a_uri_is_what_pathlib_makes(tmp_path: Path) -> None:
    path = tmp_path / "a b%#?ü.jpg"
    assert file_uri(str(path)) == path.as_uri()


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b", "/a/b"),
        ("file://localhost/a", "/a"),
        ("file:///a?b#c", "/a?b#c"),
        ("file:///%ff", "/\udcff"),
        ("file:///\udcff", "/\udcff"),
        ("file:///ü", "/ü"),
        ("file://host/a", None),
        ("file://localhostile/a", None),
        ("file://a", None),
        ("file:///a%00", None),
        ("file:/a", None),
        ("/a", None),
    ],
)
def test_the_path_of_a_file_uri(uri: str, path: str | None) -> None:
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://bucket/a/b", ("bucket", "a/b")),
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/a%20b?c#d", ("bucket", "a%20b?c#d")),
        ("s3:///a", None),
        ("s3://user:password@bucket/a", None),
        ("https://bucket/a", None),
        ("bucket/a", None),
    ],
)
def test_the_parts_of_an_s3_uri(uri: str, place: tuple[str, str] | None) -> None:
    assert split_s3(uri) == place

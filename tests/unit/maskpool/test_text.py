"""Text from outside is fit for terminals, rows and lines, and still tells what it was."""

from __future__ import annotations

import os
import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import ImageError, SourceError, SpecError, Unreachable
from maskpool.text import is_storable, one_line, readable, storable

#: A bad byte, the colours and title of a terminal, a carriage return, turned writing, a C1 control.
HOSTILE = (
    "caf\udce9.jpg",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "done\rfailed",
    "\u202egpj.exe",
    "\u2066a\u2069",
    "\x9b31m",
    "a\u2028b",
    "a\x00b",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_unsafe_is_escaped(text: str) -> None:
    for safe in (readable(text), one_line(text), str(ImageError(f"image {text}"))):
        assert safe.isprintable()
        assert "\\" in safe
        safe.encode()


def test_escapes_tell_what_was_there() -> None:
    assert one_line("caf\udce9\x1b\n\u202e\x00") == r"caf\xe9\x1b\n\u202e\x00"
    assert readable("one\n\ttwo") == "one\n\ttwo"


@pytest.mark.parametrize(
    "text", ["a b.jpg", "Größe 🚋", "👩‍🚒", "e\u0301", "自転車", "שלום", "a\xa0b"]
)
def test_other_text_is_left_alone(text: str) -> None:
    assert (readable(text), one_line(text), storable(text)) == (text, text, text)


@given(st.text())
def test_a_line_can_be_written_anywhere(text: str) -> None:
    line = one_line(text)
    assert orjson.loads(orjson.dumps(line)) == line
    assert not {"Cc", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, line))
    assert one_line(line) == line


@given(st.binary(min_size=1).map(os.fsdecode))
def test_a_path_of_any_bytes_can_be_stored(path: str) -> None:
    kept = storable(path)
    kept.encode()
    assert (kept == path) == is_storable(path)


@pytest.mark.parametrize(
    "error",
    [
        SpecError("name", "caf\udce9"),
        SourceError("caf\udce9", "\x1b"),
        Unreachable("caf\udce9", "\x00"),
    ],
)
def test_every_error_is_a_sentence_for_a_terminal_and_a_row(error: Exception) -> None:
    assert str(error).isprintable()
    assert orjson.dumps(str(error))

"""A prompt is read as people type it, or refused with the way to write it."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.encoder_text import TEXT_CONTEXT, least_tokens
from maskpool.errors import SpecError
from maskpool.prompts import parse, read_prompts, why_misread
from maskpool.spec_prompt import Prompt


@pytest.mark.parametrize(
    ("typed", "name", "text", "negatives"),
    [
        ("yellow school bus", "yellow school bus", "yellow school bus", ()),
        ("cone, not barrel", "cone", "cone", ("barrel",)),
        ("cone, not barrel, not a hat", "cone", "cone", ("barrel", "a hat")),
        ("cone,NOT barrel", "cone", "cone", ("barrel",)),
        ("vehicle=yellow school bus", "vehicle", "yellow school bus", ()),
        ("road cone = cone , not barrel", "road cone", "cone", ("barrel",)),
        ("=cone", "cone", "cone", ()),
        ("  two \t words \n", "two words", "two words", ()),
        ("red, round and small", "red, round and small", "red, round and small", ()),
        ("knot, nothing", "knot, nothing", "knot, nothing", ()),
        ("notebook", "notebook", "notebook", ()),
        ("dots, not-so-round", "dots, not-so-round", "dots, not-so-round", ()),
        ("Straßenbahn=Größe 🚋", "Straßenbahn", "Größe 🚋", ()),
        ("👩‍🚒", "👩‍🚒", "👩‍🚒", ()),
        ("e\u0301cole", "e\u0301cole", "e\u0301cole", ()),
        ("自転車", "自転車", "自転車", ()),
        ("?!", "?!", "?!", ()),
        ('12" vinyl', '12" vinyl', '12" vinyl', ()),
        ('12" vinyl, not 10" vinyl', '12" vinyl', '12" vinyl', ('10" vinyl',)),
        ('the "stop" sign', 'the "stop" sign', 'the "stop" sign', ()),
        ('"stop" and "go"', '"stop" and "go"', '"stop" and "go"', ()),
        ("'cone'", "'cone'", "'cone'", ()),
        # What would separate is text in double quotes.
        ('"E=mc2"', "E=mc2", "E=mc2", ()),
        ('formula="E=mc2"', "formula", "E=mc2", ()),
        ('"a=b" = cone', "a=b", "cone", ()),
        ('"a=b"="c=d", not "e=f"', "a=b", "c=d", ("e=f",)),
        ('"a, not b"', "a, not b", "a, not b", ()),
        ('cone, not "red, not round"', "cone", "cone", ("red, not round",)),
        ('cone, not "barrel, hat"', "cone", "cone", ("barrel, hat",)),
        ('"red, round"=ball', "red, round", "ball", ()),
        ('"not a drill"', "not a drill", "not a drill", ()),
        ('"wait,"', "wait,", "wait,", ()),
        ('sign="a ""b"" = c"', "sign", 'a "b" = c', ()),
    ],
)
def test_prompts_as_people_type_them(
    typed: str, name: str, text: str, negatives: tuple[str, ...]
) -> None:
    prompt = parse(typed)
    assert (prompt.name, prompt.text, prompt.negatives) == (name, text, negatives)


@pytest.mark.parametrize(
    ("typed", "field", "reason"),
    [
        ("", "prompts[1].text", "is empty"),
        ("   ", "prompts[1].text", "is empty"),
        ('""', "prompts[1].text", "is empty"),
        ("=", "prompts[1].text", "is empty"),
        ("vehicle=", "prompts[1].text", "is empty"),
        (", not barrel", "prompts[1].text", "is empty"),
        ("a=, not barrel", "prompts[1].text", "is empty"),
        ("cone, not ", "prompts[1].not", "is empty"),
        ("a, not", "prompts[1].not", "is empty"),
        ("word " * 31, "prompts[1].text", "at least 33 tokens"),
        ("elephant " * 40, "prompts[1].text", "at least 42 tokens"),
        ("cone, not " + "word " * 31, "prompts[1].not", "at least 33 tokens"),
        ("x" * 201 + "=cone", "prompts[1].name", "201 characters"),
    ],
)
def test_a_refused_prompt_is_named_by_its_place(typed: str, field: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason) as caught:
        read_prompts(["other", typed])
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("a, not b=c", "'=' after ', not'.*at the beginning.*double quotes"),
        ("a, NOT b = c", "'=' after ', not'"),
        ("a, not b, not c=d", "'=' after ', not'"),
        ("a, not b=", "'=' after ', not'"),
        ("a=b=c", "more than one '='.*double quotes"),
        ("a==b", "more than one '='"),
        ("==b", "more than one '='"),
        ("x=a, not b=c", "more than one '='"),
        ("not b", "begins a text with 'not'.*'\"not b\"'"),
        ("NOT b, not c", "begins a text with 'not'"),
        ("not", "begins a text with 'not'"),
        ("a=not b", "begins a text with 'not'"),
        ("not a=b", "begins a text with 'not'"),
        ("a, not not b", "begins a text with 'not'"),
        ("a,, not b", "comma at the edge of 'a,'.*'\"a,\"'"),
        ("a,", "comma at the edge"),
        (",a", "comma at the edge"),
        (",", "comma at the edge"),
        ("x=a,", "comma at the edge"),
        ("x,=a", "comma at the edge"),
        ("a, not b,", "comma at the edge"),
        ("a, not, not b", "', not' without a text after it"),
        ("a, not. b", "', not' without a text after it"),
        ("a, not=b", "', not' without a text after it"),
        ("a, not b, c", "comma in 'b, c'.*before each negative.*'\"|\"b, c\""),
        ("a, b=c", "comma in its name 'a, b'"),
        ("a, not b, not b", "negative 'b' twice"),
        ("a, not b, not  B", "negative 'B' twice"),
        ("a, not a", "asks for 'a' and not for it"),
        ("x=a, not A", "asks for 'a' and not for it"),
        ("école, not e\u0301cole", "and not for it"),
        ('"cone"', "quotes that it does not need; write cone without"),
        ('vehicle="school bus"', "quotes that it does not need"),
        ('the "E=mc2" sign', "double quote that is not closed"),
        ('"a, not b', "double quote that is not closed"),
        ("\u200b", "invisible"),
        ("\u2060\ufeff \u200d", "invisible"),
        ("red \x1b[31mcone", "control character"),
        ("cone\x07", "control character"),
        ("cone\x00", "control character"),
        ("\u202egpj.cone", "control character"),
        ("caf\udce9", "is not UTF-8"),
        ("x=cone, not caf\udce9", "is not UTF-8"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(typed: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason) as caught:
        read_prompts(["other", typed])
    assert caught.value.field == "prompts[1]"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "typed",
    [
        ("Cat", "cat"),
        ("straße", "STRASSE"),
        ("école", "e\u0301cole"),
        ("a=x", "A=y"),
        ("x=cat", "X"),
    ],
)
def test_names_that_look_alike_are_refused(typed: tuple[str, str]) -> None:
    with pytest.raises(SpecError, match="differ only in case, or in how an accent") as caught:
        read_prompts(typed)
    assert caught.value.field == "prompts[1]"


def test_one_text_may_have_two_names() -> None:
    one, other = read_prompts(["a=cone", "b=cone, not barrel"])
    assert (one.name, other.name, one.text) == ("a", "b", other.text)


@given(st.text('abANOTnot ,="\t\u200bé🚋', max_size=14))
def test_whatever_is_typed_is_read_or_refused_with_a_sentence(typed: str) -> None:
    with suppress(SpecError):
        (prompt,) = read_prompts([typed])
        assert prompt.text
        assert prompt.name


parts = st.text('abn ot,="é', min_size=1, max_size=10).map(lambda text: " ".join(text.split()))


@given(parts.filter(bool), parts.filter(bool))
def test_every_name_and_text_can_be_written(name: str, text: str) -> None:
    def written(part: str) -> str:
        """The part in quotes, but where the grammar says that it needs none."""
        in_quotes = '"' + part.replace('"', '""') + '"'
        try:
            parse(f"{in_quotes}={in_quotes}, not other")
        except ValueError:
            return part
        return in_quotes

    prompt = parse(f"{written(name)}={written(text)}")
    assert (prompt.name, prompt.text) == (name, text)


def test_the_longest_prompt_that_fits_is_taken() -> None:
    text = " ".join(["word"] * (TEXT_CONTEXT - 2))
    assert least_tokens(text) == TEXT_CONTEXT
    assert parse(text).text == text


def test_a_long_prompt_is_shown_by_its_beginning() -> None:
    with pytest.raises(SpecError) as caught:
        read_prompts([f"{'x' * 100_000}=a=b"])
    assert len(str(caught.value)) < 400
    assert unicodedata.is_normalized("NFC", str(caught.value))


_PAGE = Path(__file__).parents[3] / "docs" / "PROMPTS.md"
_WRITTEN = _PAGE.read_text().partition("## How a prompt is written")[2]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _WRITTEN.splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize("row", [row for row in _ROWS if len(row) == 4], ids=lambda row: row[0])
def test_the_page_says_what_is_read(row: list[str]) -> None:
    typed, text, name, negatives = row
    prompt = parse(typed.strip("`"))
    assert (prompt.text, prompt.name) == (text, name)
    assert " · ".join(prompt.negatives) == negatives


@pytest.mark.parametrize("row", [row for row in _ROWS if len(row) == 2], ids=lambda row: row[0])
def test_the_page_says_what_is_refused(row: list[str]) -> None:
    with pytest.raises(SpecError):
        read_prompts([row[0].strip("`")])


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("cone without snow", "'cone, not snow'"),
        ("street, no cars", "'street, not cars'"),
        ("everything except sky", "'everything, not sky'"),
        ("no entry", "'text, not entry'"),
        ("cone with snow", ""),
        ("notebook", ""),
        ("casino", ""),
    ],
)
def test_a_text_that_denies_something_is_told_how_to_say_it(text: str, remedy: str) -> None:
    sentence = why_misread(Prompt(text=text))
    assert remedy in sentence
    assert bool(sentence) == bool(remedy)

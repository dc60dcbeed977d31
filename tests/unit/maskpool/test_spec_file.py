"""A question in a file is read as written, or refused with file and field; flags are added."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskpool.errors import SpecError
from maskpool.spec import BatchSpec
from maskpool.spec_file import Asked, asked, json_schema, read_question

EVERYTHING = """
version: 2
model: demo
threshold: 0.4
max_overlap: 0.7
max_against: 0.2
exclusive: true
verify: true
prompts:
  - yellow school bus
  - "cone=traffic cone, not barrel"
  - {name: sky, text: blue sky, kind: stuff, colour: "#3366cc"}
  - {text: nut, not: [bolt], threshold: 0.9, min_area: 20, max_area: 900, max_count: 5}
"""


def question(folder: Path, text: str, *flags: str, **others: object) -> Asked:
    file = folder / "spec.yaml"
    file.write_text(text)
    return asked(read_question(file), flags, **others)  # type: ignore[arg-type]


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    read = question(tmp_path, EVERYTHING)
    assert [(one.name, one.text, one.negatives, str(one.kind)) for one in read.prompts] == [
        ("yellow school bus", "yellow school bus", (), "thing"),
        ("cone", "traffic cone", ("barrel",), "thing"),
        ("sky", "blue sky", (), "stuff"),
        ("nut", "nut", ("bolt",), "thing"),
    ]
    assert (read.model, read.verify) == ("demo", True)
    reading = read.reading_with(max_overlap=0.1)
    assert reading.dump() == {
        "threshold": 0.4,
        "max_overlap": 0.7,
        "max_against": 0.2,
        "exclusive": True,
        "prompts": {
            "sky": {"colour": "#3366cc"},
            "nut": {"threshold": 0.9, "min_area": 20, "max_area": 900, "max_count": 5},
        },
    }


def test_json_is_yaml_and_says_the_same(tmp_path: Path) -> None:
    as_json = json.dumps({"prompts": ["cat", {"text": "dog", "not": ["cat"]}]})
    as_yaml = "prompts: [cat, {text: dog, not: [cat]}]"
    assert question(tmp_path, as_json) == question(tmp_path, as_yaml)


def test_a_norwegian_no_and_numbers_stay_what_they_are_or_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"prompts\[0\]\.text: .*valid string"):
        question(tmp_path, "prompts: [{text: no}]")
    assert question(tmp_path, 'prompts: [{text: "no"}]').prompts[0].text == "no"


def test_flags_are_added_and_win(tmp_path: Path) -> None:
    read = question(tmp_path, EVERYTHING, "cat", model="sam3", threshold=0.6)
    assert read.prompts[-1].text == "cat"
    assert read.model == "sam3"
    assert read.reading_with().threshold == 0.6


def test_the_models_own_overlap_holds_where_nothing_is_said(tmp_path: Path) -> None:
    assert question(tmp_path, "prompts: [cat]").reading_with(max_overlap=0.1).max_overlap == 0.1


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("[]", "", "is no object with fields"),
        ("[" * 500_000, "line 1", "nested more than 32 deep"),  # its time would be quadratic
        ("\n- " + "- " * 40, "line 2", "nested more than 32 deep"),
        ("", "", "is empty"),
        ("model: {", "line 1", "expected"),
        ("a: &x 1\nb: *x", "line 2", "alias"),
        ("prompts: [a]\nprompts: [b]", "line 2", "has the field 'prompts' twice"),
        ("prompts: [{text: a, text: b}]", "line 1", "has the field 'text' twice"),
        ("? [a]\n: b", "line 1", "no text"),
        ("promts: [a]", "promts", "spelled right"),
        ("version: 3", "version", "should be 2"),
        ("{version: 1, prompts: [a]}", "version", "should be 2"),
        ("prompts: [a, 'b=c=d']", "prompts[1]", "more than one '='"),
        ("prompts: [a, {text: b, not: c}]", "prompts[1].not", "must be a list"),
        ("prompts: [a, no]", "prompts[1]", "reads as False in YAML and not as a text; put it in"),
        ("prompts: [a, 7]", "prompts[1]", "reads as 7"),
        ("prompts: cat", "prompts", "must be a list (given: 'cat')"),
        ("prompts: [{text: b, colour: red}]", "prompts[0].colour", "pattern"),
        ("prompts: [{text: b, kind: animal}]", "prompts[0].kind", "'thing' or 'stuff'"),
        ("prompts: [{text: b, max_count: 0}]", "prompts[0].max_count", "greater"),
        ("prompts: [{text: b, min_area: 9, max_area: 3}]", "prompts[0]", "nothing would count"),
        ("threshold: .nan", "threshold", ""),
        ("threshold: 40", "threshold", "less than or equal to 1"),
        ("model: ../x", "model", "pattern"),
        ("!!python/object:os.system {}", "line 1", "could not determine a constructor"),
    ],
)
def test_each_refusal_names_file_and_place(
    tmp_path: Path, text: str, field: str, reason: str
) -> None:
    with pytest.raises(SpecError) as refused:
        question(tmp_path, text)
    assert refused.value.field == f"{tmp_path / 'spec.yaml'}" + (field and f": {field}")
    assert reason in refused.value.reason


def test_names_that_differ_in_case_alone_are_refused_across_file_and_flags(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="differ only in case"):
        question(tmp_path, "prompts: [cat]", "Cat")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a" * (1 << 20) + b"bc"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "spec.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=r"UTF-8|no spec|no person"):
        read_question(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.yaml: cannot be read"):
        read_question(tmp_path / "nowhere.yaml")


def test_the_schema_allows_what_is_read_and_nothing_else() -> None:
    schema = json_schema()
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema)
    right = {"prompts": ["cat", {"text": "a", "not": ["b"], "kind": "stuff", "threshold": 0.1}]}
    jsonschema.validate(right, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"promts": []}, schema)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("prompts: [cat]", 1),
        ("{prompts: [cat], threshold: 0.2, max_overlap: 0.3}", 1),
        ("prompts: ['cat, not dog']", 2),
        ("prompts: [{text: sky, kind: stuff}]", 2),
        ("{prompts: [cat], exclusive: true}", 2),
        ("{prompts: [cat], max_against: 0.1}", 2),
        ("{prompts: [cat], verify: true}", 2),
        ("prompts: [{text: cat, threshold: 0.3}]", 2),
        ("prompts: [{text: cat, colour: '#000000'}]", 2),
    ],
)
def test_a_spec_has_the_lowest_version_that_can_say_it(
    tmp_path: Path, text: str, version: int
) -> None:
    read = question(tmp_path, text)
    spec = BatchSpec.of("demo", read.prompts, read.reading_with(), verify=read.verify)
    assert spec.version == version
    assert BatchSpec.read(json.loads(json.dumps(spec.dump()))) == spec

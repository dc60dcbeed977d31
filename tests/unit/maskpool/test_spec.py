"""A batch spec is read as written, or refused with the name of the field."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SpecError
from maskpool.reading import Reading, reading_of
from maskpool.reading_rule import ReadingRule
from maskpool.spec import MAX_PROMPTS, BatchSpec


def a_spec(**changes: object) -> dict[str, object]:
    return {"model": "demo", "prompts": [{"text": "cone"}], **changes}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (None, "spec"),
        ([], "spec"),
        ("cone", "spec"),
        ({}, "model"),
        ({"prompts": [{"text": "cone"}]}, "model"),
        ({"model": "demo"}, "prompts"),
        (a_spec(version=4), "version"),
        (a_spec(model=""), "model"),
        (a_spec(model="../weights"), "model"),
        (a_spec(model="demo\n"), "model"),
        (a_spec(model="a" * 65), "model"),
        (a_spec(model=1), "model"),
        (a_spec(prompts=[]), "prompts"),
        (a_spec(prompts="cone"), "prompts"),
        (a_spec(prompts=["cone"]), "prompts[0]"),
        (a_spec(prompts=[{"text": "cone"}, {"text": "cone"}]), "prompts"),
        (a_spec(prompts=[{"text": "a"}, {"name": "a", "text": "b"}]), "prompts"),
        (a_spec(prompts=[{"text": f"p{n}"} for n in range(MAX_PROMPTS + 1)]), "prompts"),
        (a_spec(prompts=[{"text": "cone"}, {"name": "x"}]), "prompts[1].text"),
        (a_spec(prompts=[{"text": 5}]), "prompts[0].text"),
        (a_spec(prompts=[{"name": 5, "text": "cone"}]), "prompts[0].name"),
        (a_spec(prompts=[{"text": "cone", "not": "barrel"}]), "prompts[0].not"),
        (a_spec(prompts=[{"text": "cone", "not": ["a", 7]}]), "prompts[0].not[1]"),
        (a_spec(prompts=[{"text": "cone", "boxes": []}]), "prompts[0].boxes"),
        (a_spec(prompts=[{"text": "co\0ne"}]), "prompts[0].text"),
        (a_spec(prompts=[{"text": "\ud800"}]), "prompts[0].text"),
        (a_spec(prompts=[{"name": "\x1b[31m", "text": "cone"}]), "prompts[0].name"),
        (a_spec(prompts=[{"text": "cone", "not": ["\udfff"]}]), "prompts[0].not"),
        (a_spec(settings={"threshold": -0.01}), "settings.threshold"),
        (a_spec(settings={"threshold": 1.01}), "settings.threshold"),
        (a_spec(settings={"threshold": float("nan")}), "settings.threshold"),
        (a_spec(settings={"threshold": "much"}), "settings.threshold"),
        (a_spec(settings={"max_overlap": 2}), "settings.max_overlap"),
        (a_spec(settings={"tiles": 4}), "settings.tiles"),
        (a_spec(settings=None), "settings"),
        (a_spec(colour="red"), "colour"),
    ],
)
def test_every_refusal_names_its_field(data: object, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        BatchSpec.read(data)
    assert caught.value.field == field
    assert caught.value.reason


def test_a_refusal_quotes_only_the_beginning_of_what_was_given() -> None:
    with pytest.raises(SpecError) as caught:
        BatchSpec.read(a_spec(prompts="x" * 10_000))
    assert len(str(caught.value)) < 300


def test_two_prompts_of_one_name_are_told_how_to_differ() -> None:
    with pytest.raises(SpecError, match="two prompts are named 'cone'"):
        BatchSpec.read(a_spec(prompts=[{"text": "cone"}, {"text": "Cone"}, {"text": " cone "}]))


texts = st.lists(st.text("abzÄéж自🚋", min_size=1, max_size=8), min_size=1, max_size=9).map(
    " ".join
)
prompts = st.fixed_dictionaries(
    {"text": texts}, optional={"name": texts, "not": st.lists(texts, max_size=3)}
)
parts = st.floats(0, 1)
specs = st.fixed_dictionaries(
    {
        "model": st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True),
        "prompts": st.lists(
            prompts,
            min_size=1,
            max_size=6,
            unique_by=lambda prompt: prompt.get("name") or prompt["text"],
        ),
    },
    optional={
        "version": st.just(1),
        "settings": st.fixed_dictionaries(
            {}, optional={"threshold": parts, "max_overlap": st.none() | parts}
        ),
    },
)


@given(specs)
def test_what_is_dumped_is_read_again_the_same(data: dict[str, object]) -> None:
    spec = BatchSpec.read(data)
    dumped = spec.dump()
    assert BatchSpec.read(dumped) == spec
    through_json = json.loads(json.dumps(dumped))
    assert through_json == dumped
    assert BatchSpec.read(through_json) == spec
    assert [prompt["text"] for prompt in dumped["prompts"]] == [
        prompt["text"] for prompt in data["prompts"]
    ]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_whatever_stands_where_prompts_belong_is_refused(prompts: object) -> None:
    with pytest.raises(SpecError, match=r"^prompts"):
        BatchSpec.read(a_spec(prompts=prompts))


@given(parts, st.none() | parts)
def test_reading_settings_are_the_domains_rule(threshold: float, max_overlap: float | None) -> None:
    rule = Reading(threshold=threshold, max_overlap=max_overlap).rule_for([])
    assert rule == ReadingRule(threshold, max_overlap)


def test_a_spec_says_what_counts_by_default() -> None:
    assert reading_of(BatchSpec.read(a_spec()).dump(), None).rule_for([]) == ReadingRule(0.5, None)

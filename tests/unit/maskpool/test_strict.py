"""What is wrong with a field: its sentence, and its kind for pages that say it themselves."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Field
from pydantic_core._pydantic_core import list_all_errors
from unit.web.test_words import places

from maskpool.errors import SpecError
from maskpool.spec import BatchSpec
from maskpool.strict import KINDS, Strict
from producer.problems import told
from web.studio.words import LANGUAGES, words_of


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Example(Strict):
    word: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]*$")] = "one"
    words: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)] = ("one",)
    inner: Strict | None = None
    whole: Annotated[int, Field(gt=0, lt=10)] = 1
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    switch: bool = False
    size: Size = Size.SMALL
    tiles: Literal["off", "auto"] = "off"
    id: UUID = UUID(int=0)


@pytest.mark.parametrize(
    ("given", "params"),
    [
        ({"word": 7}, {"unfit": "text"}),
        ({"word": "a"}, {"unfit": "short", "count": 2}),
        ({"word": "abcde"}, {"unfit": "long", "count": 4}),
        ({"word": "A7"}, {"unfit": "pattern", "pattern": "^[a-z]*$"}),
        ({"words": "one"}, {"unfit": "list"}),
        ({"words": []}, {"unfit": "few", "count": 1}),
        ({"words": ["a", "b", "c"]}, {"unfit": "many", "count": 2}),
        ({"inner": 3}, {"unfit": "object"}),
        ({"whole": "x"}, {"unfit": "whole"}),
        ({"whole": 1.5}, {"unfit": "whole"}),
        ({"whole": 0}, {"unfit": "above", "count": 0}),
        ({"whole": 10}, {"unfit": "below", "count": 10}),
        ({"share": "x"}, {"unfit": "number"}),
        ({"share": float("nan")}, {"unfit": "number"}),
        ({"share": -1}, {"unfit": "least", "count": 0.0}),
        ({"share": 2}, {"unfit": "most", "count": 1.0}),
        ({"switch": "perhaps"}, {"unfit": "switch"}),
        ({"size": "huge"}, {"unfit": "choice", "expected": ["small", "large"]}),
        ({"tiles": "on"}, {"unfit": "choice", "expected": ["off", "auto"]}),
        ({"id": "seven"}, {"unfit": "id"}),
        ({"other": 1}, {"unfit": "unknown"}),
    ],
)
def test_a_refused_field_says_of_what_kind_it_is(
    given: dict[str, Any], params: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as caught:
        Example.read(given)
    [(field, value)] = given.items()
    problem = told(caught.value)
    assert problem.code == "spec.refused"
    expected = {**params, "field": field, "given": repr(str(value))}
    assert problem.params == {**expected, "reason": caught.value.reason}
    assert f"(given: {str(value)!r})" in problem.detail


def test_what_is_missing_says_so() -> None:
    with pytest.raises(SpecError) as caught:
        BatchSpec.read({"version": 2, "model": "demo"})
    assert (caught.value.field, caught.value.params["unfit"]) == ("prompts", "missing")


def test_what_was_given_is_cut() -> None:
    with pytest.raises(SpecError) as caught:
        Example.read({"word": "a" * 10_000})
    assert len(caught.value.params["given"]) == 82


def test_the_kinds_are_those_of_pydantic() -> None:
    known = {one["type"]: one["example_context"] or {} for one in list_all_errors()}
    for kind, (_, bound) in KINDS.items():
        assert kind in known
        assert not bound or bound in known[kind]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_has_words(language: str) -> None:
    words = words_of(language)
    for name in {name for name, _ in KINDS.values()}:
        assert places(words[f"unfit.{name}"]) <= {"count", "pattern", "expected"}
    said = {key for key in words if key.startswith("unfit.")}
    assert said == {f"unfit.{name}" for name, _ in KINDS.values()}

"""Which texts run for an image, and whose negatives they are."""

from __future__ import annotations

import pytest

from maskpool.errors import SpecError
from maskpool.spec_prompt import Prompt
from workers.image.asked import Asked


def prompt(text: str, *negatives: str, name: str = "") -> Prompt:
    return Prompt.model_validate({"text": text, "not": negatives, "name": name})


def test_prompts_without_negatives_are_asked_as_ever() -> None:
    asked = Asked.of([prompt("cone"), prompt("bus")])
    assert asked.texts == ("cone", "bus")
    assert asked.negatives == ((), ())
    assert not asked.verify


def test_each_negative_runs_once_and_one_that_is_a_prompt_has_its_row() -> None:
    cone = prompt("cone", "barrel", "bus", "pole")
    asked = Asked.of([cone, prompt("bus", "pole", "cone"), prompt("barrel", name="tun")])
    assert asked.texts == ("cone", "bus", "barrel", "pole")
    assert asked.negatives == ((2, 1, 3), (3, 0), ())


def test_of_two_prompts_with_one_text_the_first_is_looked_at() -> None:
    asked = Asked.of([prompt("cone"), prompt("cone", name="other"), prompt("bus", "cone")])
    assert asked.texts == ("cone", "cone", "bus")
    assert asked.negatives[2] == (0,)


@pytest.mark.parametrize(
    ("row", "field"), [(0, "prompts[0].text"), (1, "prompts[1].text"), (3, "prompts[1].not[1]")]
)
def test_a_refused_text_is_named_by_its_place_in_the_spec(row: int, field: str) -> None:
    asked = Asked.of([prompt("cone"), prompt("bus", "barrel", "pole")])
    named = asked.named(SpecError(f"prompts[{row}].text", "is too long"))
    assert str(named) == f"{field}: is too long"


def test_what_names_no_text_is_left_as_it_is() -> None:
    error = SpecError("model", "is unknown")
    assert Asked.of([prompt("cone")]).named(error) is error

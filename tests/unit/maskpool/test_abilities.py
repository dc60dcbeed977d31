"""What a batch, and one image of it, need of a worker."""

from __future__ import annotations

from typing import Any

import pytest

from maskpool.abilities import Ability, needed
from maskpool.spec import BatchSpec


@pytest.mark.parametrize(
    ("spec", "objects", "abilities"),
    [
        ({"prompts": [{"text": "cat"}]}, False, set()),
        ({"prompts": [{"text": "cat"}]}, True, {Ability.OBJECTS}),
        ({"version": 2, "classes": ["cat"], "prompts": []}, False, {Ability.SPEC2}),
        ({"version": 2, "classes": ["cat"], "prompts": []}, True, {Ability.SPEC2, Ability.OBJECTS}),
        ({"version": 2, "prompts": [{"text": "cat", "not": ["dog"]}]}, False, {Ability.SPEC2}),
        (
            {"version": 2, "prompts": [{"text": "cat"}], "glossary": "1.0.0"},
            False,
            {Ability.SPEC2, Ability.GLOSSARY},
        ),
        (
            {"version": 2, "prompts": [{"text": "sky", "kind": "stuff"}]},
            False,
            {Ability.SPEC2, Ability.STUFF},
        ),
    ],
)
def test_what_a_worker_must_be_able_to_do(
    spec: dict[str, Any], objects: bool, abilities: set[Ability]
) -> None:
    assert needed(BatchSpec.read({"model": "demo", **spec}), objects=objects) == abilities

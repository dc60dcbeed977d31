"""What a batch says of tiles, on the command line and in a spec."""

from __future__ import annotations

from typing import Any

import pytest

from maskpool.abilities import Ability, needed
from maskpool.errors import SpecError
from maskpool.spec import BatchSpec, same_question
from maskpool.spec_file import Question, asked
from maskpool.spec_prompt import Prompt
from maskpool.tiling.asked import Tiling, parse
from maskpool.tiling.record import Tiled, Why

CAT = [Prompt.model_validate({"text": "cat"})]


@pytest.mark.parametrize(
    ("text", "tiles"),
    [
        ("off", "off"),
        ("auto", "auto"),
        ("1008", Tiling(size=1008)),
        ("1008/0.1", Tiling(size=1008, overlap=0.1)),
        ("640:.5", Tiling(size=640, overlap=0.5)),
        ("640/0", Tiling(size=640, overlap=0.0)),
    ],
)
def test_what_is_written_after_tiles(text: str, tiles: Any) -> None:
    assert parse(text) == tiles


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("on", "tiles: 'on' is none of off, auto, a side as 1008, and 1008/0.25"),
        ("63", "tiles: size: input should be greater than or equal to 64"),
        ("1008/0.51", "tiles: overlap: input should be less than or equal to 0.5"),
        ("1008/1.5", "tiles: '1008/1.5' is none of"),
        ("", "tiles: '' is none of"),
    ],
)
def test_anything_else_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(text)
    assert str(refused.value).startswith(sentence)


def test_without_tiles_specs_are_as_they_were_byte_for_byte() -> None:
    first = BatchSpec.of("demo", CAT)
    assert first.dump() == {
        "version": 1,
        "model": "demo",
        "prompts": [{"text": "cat", "name": "cat", "not": []}],
        "settings": first.settings.model_dump(mode="json"),
    }
    second = BatchSpec.of("demo", CAT, verify=True, tiles="off")
    assert second.dump() == {
        "version": 2,
        "model": "demo",
        "prompts": [{"text": "cat", "name": "cat", "not": []}],
        "verify": True,
    }
    assert Ability.TILES not in needed(second, objects=False)


@pytest.mark.parametrize(
    ("tiles", "stored"),
    [
        ("auto", "auto"),
        (Tiling(), {"overlap": 0.25}),
        (Tiling(size=640, overlap=0.1), {"size": 640, "overlap": 0.1}),
    ],
)
def test_tiles_are_a_spec_of_version_3_that_reads_back(tiles: Any, stored: Any) -> None:
    spec = BatchSpec.of("demo", CAT, tiles=tiles)
    dumped = spec.dump()
    assert (dumped["version"], dumped["tiles"]) == (3, stored)
    assert BatchSpec.read(dumped) == spec
    assert needed(spec, objects=False) == {Ability.SPEC2, Ability.TILES}
    assert not same_question(dumped, BatchSpec.of("demo", CAT).dump())


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"version": 2, "tiles": "auto"}, "tiles: are known from version 3 on; write version: 3"),
        ({"version": 3, "tiles": "on"}, "tiles: 'on' is neither off nor auto"),
        ({"version": 3, "tiles": 640}, "tiles: '640' is neither off nor auto; a side is written"),
        ({"version": 3, "tiles": {"size": 9}}, "tiles: size: input should be greater than or"),
        ({"version": 3, "tiles": True}, "tiles: is on or off by nothing but words"),
        ({"version": 3, "tiles": {"side": 9}}, "tiles: side: is no field"),
        (
            {"version": 3, "tiles": "auto", "classes": ["cat"]},
            "tiles: serve texts, and objects of boxes and points are drawn from the whole image",
        ),
    ],
)
def test_refusals_name_the_field(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        BatchSpec.read({"model": "demo", "prompts": [{"text": "dog"}], **spec})
    assert sentence in str(refused.value)


def test_a_file_says_it_and_the_flag_wins() -> None:
    question = Question.read({"prompts": ["cat"], "tiles": {"size": 640}})
    assert asked(question).tiles == Tiling(size=640)
    assert asked(question, tiles="off").tiles == "off"
    # YAML reads a bare off as false.
    assert Question.read({"prompts": ["cat"], "tiles": False}).tiles == "off"


@pytest.mark.parametrize(
    "tiled", [Tiled(Why.LARGE, 320, 0.25, 40), Tiled(Why.SMALL, 320, 0.25, 0, 7)]
)
def test_the_record_reads_back(tiled: Tiled) -> None:
    assert Tiled.from_json(tiled.to_json()) == tiled


def test_the_record_says_why_in_words() -> None:
    assert Tiled(Why.LARGE, 320, 0.25, 40, 3).sentence == (
        "looked at as a whole and in 40 tiles of 320 pixels, as it is more than two tiles long; "
        "3 masks with the lowest scores are left out"
    )
    assert Tiled(Why.SMALL, 320, 0.25, 0).sentence == (
        "looked at as a whole, as it is not much larger than a tile"
    )

"""docs/PROMPTS.md quotes the examples that lie in samples/prompts, and shows small pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from producer.formats.boxes import Matcher, read_boxes
from producer.sources import open_source

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples" / "prompts"
PAGE = (ROOT / "docs" / "PROMPTS.md").read_text()
QUOTES = re.findall(r"```(yaml|json|text|csv)\n(.*?)```", PAGE, re.DOTALL)
PICTURES = re.findall(r"\]\((prompts/[^)]+)\)", PAGE)


def quoted(kind: str) -> list[str]:
    return [text for of, text in QUOTES if of == kind]


@pytest.mark.parametrize("name", ["spec.yaml", "coco.json", "yolo/scene_04.txt", "clicks.csv"])
def test_an_example_is_quoted_as_it_is(name: str) -> None:
    assert f"samples/prompts/{name}" in PAGE
    assert (SAMPLES / name).read_text() in [text for _, text in QUOTES]


def test_rows_of_the_list_are_quoted_with_line_breaks_only() -> None:
    rows = [json.loads(line) for line in (SAMPLES / "clicks.jsonl").read_text().splitlines()]
    assert [row for row in map(json.loads, quoted("json")) if "uri" in row] == rows


def test_every_quote_is_of_an_example() -> None:
    files = "\n".join(path.read_text() for path in SAMPLES.rglob("*.*"))
    rows = [json.loads(line) for line in (SAMPLES / "clicks.jsonl").read_text().splitlines()]
    for kind, text in QUOTES:
        assert text in files or (kind == "json" and json.loads(text) in rows), text


@pytest.mark.parametrize("name", ["yolo", "voc", "labelme"])
def test_the_same_boxes_lie_there_in_every_format(name: str) -> None:
    def boxes(path: Path) -> list[tuple[str, list[float]]]:
        file = read_boxes(path)
        assert not list(file.problems)
        asks = Matcher(file).asks_of("scene_04.jpg")
        assert asks is not None
        width, height = (289, 224) if asks.unit == "fraction" else (1, 1)
        return [
            (
                one.class_name,
                [
                    round(value * side)
                    for value, side in zip(one.box_xyxy or (), (width, height) * 2, strict=True)
                ],
            )
            for one in asks.objects
        ]

    assert boxes(SAMPLES / name) == boxes(SAMPLES / "coco.json")


def test_the_lists_name_images_that_are_there() -> None:
    for name in ("clicks.jsonl", "clicks.csv"):
        for ref in open_source(str(SAMPLES / name)).refs():
            assert (ROOT / "samples" / "scenes" / ref.name).is_file()
            assert ref.prompts


def test_pictures_are_there_and_small() -> None:
    assert len(PICTURES) == 6
    for picture in PICTURES:
        assert (ROOT / "docs" / picture).stat().st_size <= 60_000, picture


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        assert (ROOT / "docs" / path).exists(), target
        assert path or anchor in anchors, target


def test_lines_are_short() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 120] == []

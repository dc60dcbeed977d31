from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import pytest
from hostile.paths import NAMES

from producer.report.overlays import Overlay
from producer.report.page import MAX_CARDS, MAX_FAILURES, write_index, write_summary
from producer.results.records import Failure
from storage.uris import path_of

HOSTILE = "<script>alert(1)<img src=x onerror=alert(2)>\"'&.png"


class Page(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts = 0
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def overlay(folder: Path, name: str, **counts: int) -> Overlay:
    return Overlay(folder / "overlays" / name, name, 40, 30, counts)


def page(folder: Path, summary: dict[str, Any], *overlays: Overlay, **more: Any) -> Page:
    more = {"failures": [], "categories": ["cat", "dog"]} | more
    return Page(write_index(folder, summary, overlays, **more))


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_finds_an_overlay_of_any_name(tmp_path: Path, name: str) -> None:
    """Also where the page itself lies in a folder of that name."""
    folder = tmp_path / name
    seen = page(folder, {}, overlay(folder, f"{name}/{name}.jpg"))
    link = str(seen.all("img")[0]["src"])
    found = urljoin((folder / "index.html").as_uri(), link)
    assert path_of(found) == f"{folder}/overlays/{name}/{name}.jpg"


def test_cards_link_relatively_and_say_what_is_there(tmp_path: Path) -> None:
    seen = page(
        tmp_path,
        {"jobs": 2, "done": 2, "failed": 0, "f1": None},
        overlay(tmp_path, "a b/ü#?.jpg", dog=2, cat=1),
        overlay(tmp_path, "empty.jpg"),
    )
    first, second, large = seen.all("img")
    assert unquote(str(first["src"])) == "overlays/a b/ü#?.jpg"
    assert not set("#? ") & set(str(first["src"]))
    assert first["alt"] == "a b/ü#?.jpg: 1 cat, 2 dog"
    assert (first["loading"], first["width"], first["height"]) == ("lazy", "40", "30")
    assert second["alt"] == "empty.jpg: nothing found"
    assert "src" not in large
    assert [tag["data-has"] for tag in seen.all("li")] == ["0 1", "none"]
    assert [tag["value"] for tag in seen.all("input")] == ["0", "1", "none"]


def test_it_needs_no_network(tmp_path: Path) -> None:
    text = write_index(tmp_path, {}, [], [], categories=[]).read_text("utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "//" not in text.replace("// With nothing", "")
    assert not Page(tmp_path / "index.html").all("link")


@pytest.mark.parametrize("place", ["overlay", "category", "failure", "error", "title", "lead"])
def test_hostile_words_stay_words(tmp_path: Path, place: str) -> None:
    plain = page(tmp_path, {}, overlay(tmp_path, "x.jpg", cat=1), failures=[Failure("x", "y")])
    more: dict[str, Any] = {"failures": [Failure("x", "y")], "categories": ["cat", "dog"]}
    card = overlay(tmp_path, "x.jpg", cat=1)
    if place == "overlay":
        card = overlay(tmp_path, HOSTILE, cat=1)
    elif place == "category":
        card = overlay(tmp_path, "x.jpg", **{HOSTILE: 1})
        more["categories"] = [HOSTILE, "dog"]
    elif place in {"failure", "error"}:
        more["failures"] = [Failure(HOSTILE, "y") if place == "failure" else Failure("x", HOSTILE)]
    else:
        more[place] = HOSTILE
    seen = page(tmp_path, {}, card, **more)
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in plain.tags]
    assert len(seen.all("script")) == 1
    assert {key for _, attrs in seen.tags for key in attrs} == {
        key for _, attrs in plain.tags for key in attrs
    }
    assert "script>alert(1)" in seen.words + str([t["alt"] for t in seen.all("img")])


def test_names_that_utf8_cannot_hold_are_shown(tmp_path: Path) -> None:
    seen = page(tmp_path, {}, failures=[Failure("a\udcff.jpg", "unreadable")])
    assert "a?.jpg" in seen.words


def test_known_figures_are_shown_and_unknown_ones_are_not(tmp_path: Path) -> None:
    summary = {"jobs": 12345, "failed": 2, "f1": 0.9412, "mean_iou": None, "seconds": 7.25}
    seen = page(tmp_path, summary)
    assert "Images 12,345" in seen.words
    assert "Failed 2" in seen.words
    assert "F1 0.941" in seen.words
    assert "Mean IoU" not in seen.words
    assert {"class": "bad"} in seen.all("div")


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    failures = [Failure(str(i), "gone") for i in range(MAX_FAILURES + 7)]
    seen = page(tmp_path, {"failed": len(failures)}, failures=iter(failures))
    assert len(seen.all("tr")) == MAX_FAILURES + 1
    assert "7 more are in summary.json" in seen.words


def test_a_sample_says_of_how_many(tmp_path: Path) -> None:
    cards = [overlay(tmp_path, f"{i}.jpg", cat=1) for i in range(MAX_CARDS + 1)]
    seen = page(tmp_path, {"done": 9000}, *cards)
    assert len(seen.all("li")) == MAX_CARDS
    assert "A sample of 2,000 out of 9,000 annotated images" in seen.words
    assert "A sample" not in page(tmp_path, {"done": 1}, cards[0]).words


def test_summary_is_json_and_replaces_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    write_summary(folder, {"jobs": 1})
    write_summary(folder, {"jobs": 2, "f1": None, "failures": [{"image": "a", "error": "b"}]})
    assert json.loads((folder / "summary.json").read_bytes()) == {
        "jobs": 2,
        "f1": None,
        "failures": [{"image": "a", "error": "b"}],
    }
    assert [path.name for path in folder.iterdir()] == ["summary.json"]

"""Large pictures looked at in tiles, too: asked by a switch, and said what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Request, expect
from services.studio import PHONE, Desk
from services.try_page import SCENE, Bench, settled

from training.mosaics import mosaic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PROMPT = "circle"

#: By language: the switch, what it says of a large picture and of a small one.
_WORDS = {
    "en": (
        "Large pictures in tiles, too",
        "Looked at as a whole and in 20 tiles of 320 pixels, as it is longer than two.",
        "Looked at as a whole: it is not much larger than a tile of 320 pixels.",
    ),
    "zh": (
        "大图另分块查看",
        "图片比两个分块还长：已查看整图和 20 个分块（边长 320 像素）。",
        "只查看了整图：不比一个分块（边长 320 像素）大多少。",
    ),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scenes beside each other, of which the squashed whole shows next to nothing."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    Image.fromarray(mosaic(4, 3, [PROMPT]).image).save(path)
    return path


def asked(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request.post_data or "{}")
    return body


@pytest.mark.parametrize("language", _WORDS)
def test_a_switch_asks_again_in_tiles_and_says_so(desk: Desk, large: Path, language: str) -> None:
    title, cut, whole = _WORDS[language]
    bench = Bench(desk, language=language)
    page = bench.page
    page.set_input_files("#file", large)
    expect(bench.canvas).to_be_visible()
    add = page.locator("#add")
    with page.expect_request("**/api/v1/predict?*") as request:
        add.fill(PROMPT)
        add.press("Enter")
    assert "tiles" not in asked(request.value)
    figure, hint = page.locator(".prompt .num").last, page.locator("#tiles-hint")
    expect(figure).not_to_be_empty(timeout=60_000)
    before = bench.count()
    switch = page.get_by_role("switch", name=title)
    with page.expect_request("**/api/v1/predict?*") as request:
        switch.check()
    assert asked(request.value)["tiles"] == "auto"
    expect(hint).to_have_text(cut, timeout=60_000)
    assert bench.count() > before + 3
    page.reload()
    expect(switch).to_be_checked()
    expect(hint).to_have_text(cut)
    # What was asked before is not asked again: the answer is kept.
    switch.uncheck()
    settled(lambda: bench.count() == before)
    switch.check()
    page.set_input_files("#file", SCENE)
    expect(hint).to_have_text(whole, timeout=60_000)


def test_the_switch_goes_along_as_code_and_to_a_batch(desk: Desk, large: Path) -> None:
    bench = Bench(desk, window=PHONE)
    page = bench.page
    page.set_input_files("#file", large)
    page.locator("#sheet").click()
    bench.prompt(PROMPT)
    page.get_by_role("switch", name="Large pictures").check(force=True)
    expect(page.locator("#tiles-hint")).to_contain_text("20 tiles", timeout=60_000)
    page.get_by_role("button", name="As code").click()
    for name, part in (
        ("curl", '"tiles":"auto"'),
        ("Python", '"tiles":"auto"}'),
        ("CLI", "--tiles auto"),
        ("Spec", '"tiles": "auto"'),
    ):
        page.get_by_role("dialog").get_by_label(name).check(force=True)
        expect(page.locator(".code")).to_contain_text(part)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    expect(page.get_by_role("switch", name="Large pictures")).to_be_checked()
    with page.expect_request(lambda one: one.method == "POST" and "batches" in one.url) as request:
        page.get_by_role("button", name="Start", exact=True).click()
    assert asked(request.value)["spec"]["tiles"] == "auto"
    expect(page.locator("#state")).to_have_text("Done", timeout=60_000)


def test_tiles_of_a_file_are_shown_and_taken_off(desk: Desk, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text('{"prompts": ["bus"], "tiles": {"size": 512, "overlap": 0.4}}')
    page = desk.open("/batches/new")
    switch, hint = page.get_by_role("switch", name="Large pictures"), page.locator("#tiles-hint")
    expect(switch).not_to_be_checked()
    page.set_input_files("#spec-file", spec)
    expect(switch).to_be_checked()
    expect(hint).to_have_text("As the spec says: 512 pixels a side, overlap 0.4.")
    switch.uncheck()
    expect(hint).to_contain_text("each tile takes as long as a picture")
    page.reload()
    expect(switch).not_to_be_checked()

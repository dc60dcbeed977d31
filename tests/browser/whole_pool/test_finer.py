"""Stored masks shown finer: in Try and in a batch's viewer, as it is seen, counted and saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from services.studio import PHONE, Desk
from services.try_page import CIRCLE, SCENE, Bench, settled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

#: By language: the switch, and what it says once all are finer.
_WORDS = {"en": ("Outlines", "are finer"), "zh": ("轮廓", "均已细化")}

#: A hash of what is drawn on the layer of the masks.
_DRAWN = """async (canvas) => {
  const sheet = canvas.layers.canvases.masks;
  const copy = new OffscreenCanvas(sheet.width, sheet.height);
  const ink = copy.getContext("2d", {willReadFrequently: true});
  ink.drawImage(sheet, 0, 0);
  const {data} = ink.getImageData(0, 0, sheet.width, sheet.height);
  let hash = 7, inked = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (!data[at + 3]) continue;
    inked++;
    hash = (hash * 31 + at + data[at]) % 2147483647;
  }
  return [hash, inked];
}"""


def drawn(canvas: Locator) -> list[int]:
    canvas.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    told: list[int] = canvas.evaluate(_DRAWN)
    assert told[1] > 100
    return told


def choose(page: Page, level: str) -> None:
    page.locator("#refine").select_option(level)


@pytest.mark.parametrize("language", _WORDS)
def test_outlines_change_and_come_back(desk: Desk, language: str) -> None:
    title, said = _WORDS[language]
    bench = Bench(desk, language=language)
    page = bench.page
    asked: list[str] = []
    page.on("request", lambda one: asked.append(f"{one.method} {one.url}"))
    bench.bring()
    add = page.locator("#add")
    add.fill("circle")
    add.press("Enter")
    expect(page.locator(".prompt .num").last).not_to_be_empty(timeout=60_000)
    settled(lambda: bench.count() > 0)
    before, count = drawn(bench.canvas), bench.count()
    assert not any("finer.js" in one for one in asked), "it came before anybody wanted it"
    hint = page.locator("#refine-hint")
    # By keys alone.
    page.get_by_label(title).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#refine")).to_have_value("medium")
    expect(hint).to_contain_text(said)
    smooth = drawn(bench.canvas)
    assert smooth != before
    assert bench.count() == count
    assert sum(one.startswith("POST") and "/predict" in one for one in asked) == 1
    choose(page, "none")
    settled(lambda: drawn(bench.canvas) == before)
    choose(page, "medium")
    settled(lambda: drawn(bench.canvas) == smooth)
    page.reload()
    expect(page.locator("#refine")).to_have_value("medium")
    expect(hint).to_contain_text(said, timeout=60_000)
    settled(lambda: drawn(bench.canvas) == smooth)
    choose(page, "high")
    expect(hint).not_to_contain_text("…")
    settled(lambda: drawn(bench.canvas) not in (before, smooth))


def test_what_is_saved_is_what_is_seen(desk: Desk, tmp_path: Path) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("circle")
    plain = coco(bench, tmp_path)
    choose(page, "medium")
    expect(page.locator("#refine-hint")).to_contain_text("are finer")
    finer = coco(bench, tmp_path)
    assert len(finer) == len(plain) == bench.count()
    pairs = zip(plain, finer, strict=True)
    assert all(one["segmentation"] != other["segmentation"] for one, other in pairs)
    # What is corrected is made finer as well, and saved so.
    bench.click(CIRCLE)
    page.keyboard.press("p")
    with page.expect_response(lambda one: "refine=medium" in one.url) as told:
        bench.click(CIRCLE)
    [corrected] = told.value.json()["result"]["instances"]
    expect(page.locator("#refine-hint")).to_contain_text("are finer")
    areas = [row["area"] for row in coco(bench, tmp_path)]
    assert corrected["area"] in areas
    assert len(areas) == bench.count()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="As code").click()
    for name, part in (("curl", "masks=rle&refine=medium"), ("Python", "masks=rle&refine=medium")):
        page.get_by_role("dialog").get_by_label(name).check(force=True)
        expect(page.locator(".code")).to_contain_text(part)
    expect(page.get_by_role("dialog")).to_contain_text("export --refine medium")
    page.keyboard.press("Escape")


def coco(bench: Bench, folder: Path) -> list[dict[str, Any]]:
    path = folder / "coco.json"
    bench.downloads("COCO JSON").save_as(path)
    rows: list[dict[str, Any]] = json.loads(path.read_text())["annotations"]
    return rows


def test_a_phone_and_a_batch_begin_with_what_was_chosen(desk: Desk) -> None:
    bench = Bench(desk, window=PHONE)
    page = bench.page
    page.set_input_files("#file", SCENE)
    page.locator("#sheet").click()
    bench.prompt("circle")
    box = page.locator("#refine").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    choose(page, "low")
    expect(page.locator("#refine-hint")).to_contain_text("are finer")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#state")).to_have_text("Done", timeout=60_000)
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("dialog").get_by_label("Outlines")).to_have_value("low")
    page.keyboard.press("Escape")
    page.locator("#tiles a[href]").first.click()
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_label("Outlines")).to_have_value("low")
    expect(viewer.locator("#refine-hint")).to_contain_text("are finer")
    canvas = viewer.locator("mask-canvas")
    low, rows = drawn(canvas), viewer.locator("tbody tr:not(.is-out)").count()
    viewer.get_by_label("Outlines").select_option("medium")
    expect(viewer.locator("#refine-hint")).to_contain_text("are finer")
    settled(lambda: drawn(canvas) != low)
    assert viewer.locator("tbody tr:not(.is-out)").count() == rows
    viewer.get_by_label("Outlines").select_option("low")
    settled(lambda: drawn(canvas) == low)


def test_a_picture_that_is_another_one_is_said(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("circle")
    brought = desk.site.home.rglob("uploads/*/scene_20.jpg")
    stored = max(brought, key=lambda one: one.stat().st_mtime)
    Image.fromarray(np.zeros((498, 603, 3), np.uint8)).save(stored)
    choose(page, "high")
    expect(page.locator("#refine-hint")).to_contain_text("The picture is another one now")
    stored.unlink()
    choose(page, "none")
    choose(page, "high")
    expect(page.locator("#refine-hint")).to_contain_text("cannot be read any more")

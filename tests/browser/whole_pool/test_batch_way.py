"""From files that somebody drops to an exported data set, on a whole pool with the demo models."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect
from pycocotools.coco import COCO
from services.dropping import drop
from services.studio import Desk

SCENES = Path(__file__).parents[3] / "samples" / "scenes"
NAMES = ("scene_02.jpg", "scene_04.jpg", "scene_13.jpg")

#: How many pixels of a tile's masks are drawn.
_DRAWN = """
(canvas) => {
  if (!canvas.width) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}
"""


def number(text: str | None) -> int:
    found = re.search(r"[\d,]+", text or "")
    assert found, text
    return int(found[0].replace(",", ""))


def kept(page: Page) -> int:
    return number(page.locator("#keeps").text_content())


def test_dropped_files_become_masks_and_a_data_set(desk: Desk, tmp_path: Path) -> None:
    page = desk.open("/batches")
    page.keyboard.press("c")
    page.wait_for_url("**/batches/new")
    files = {name: (SCENES / name).read_bytes() for name in NAMES}
    drop(page, {**files, "notes.txt": b"x", "empty.jpg": b"", ".DS_Store": b"x"})
    expect(page.locator("#passed-count")).to_have_text("3 files passed over")
    expect(page.locator("#file-groups")).to_contain_text("3 pictures")
    prompts = page.get_by_label("Add a prompt")
    for prompt in ("circle", "star=yellow star"):
        prompts.fill(prompt)
        prompts.press("Enter")
    page.locator("#name").fill("shapes")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}$"), wait_until="commit")
    expect(page.locator("#state")).to_have_text("Done", timeout=60_000)
    tiles = page.locator("#tiles > li:not([hidden])")
    expect(tiles).to_have_count(3)
    page.wait_for_function(f"() => ({_DRAWN})(document.querySelector('#tiles canvas')) > 50")
    page.wait_for_function("() => document.querySelector('#tiles img').naturalWidth > 0")

    before = kept(page)
    slider = page.get_by_label("Threshold", exact=True)
    slider.focus()
    page.keyboard.press("End")
    expect(page.locator("#reading output").first).to_have_text("0.95")
    after = kept(page)
    assert 0 < after < before
    page.get_by_role("button", name="Save for everybody").click()
    expect(page.locator("#saveline")).to_be_hidden()
    page.reload()
    expect(page.locator("#reading output").first).to_have_text("0.95")

    page.locator("#tiles a[href]").first.click()
    title = page.locator("#viewer-title")
    expect(title).to_have_text(NAMES[0])
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text(NAMES[1])
    page.go_back()
    expect(title).to_be_hidden()

    page.get_by_role("button", name="Export").click()
    page.get_by_role("dialog").get_by_label("Outlines").select_option("medium")
    page.get_by_role("button", name="Make the file").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="shapes-coco.json").click(timeout=30_000)
    assert download.value.suggested_filename == "shapes-coco.json"
    download.value.save_as(tmp_path / "coco.json")
    told = json.loads((tmp_path / "coco.json").read_text())["info"]["refine"]
    assert (told["asked"], sum(told["taken"].values())) == ("medium", after)
    coco = COCO(str(tmp_path / "coco.json"))
    assert len(coco.getImgIds()) == len(NAMES)
    assert len(coco.getAnnIds()) == after == kept(page)
    assert {one["name"] for one in coco.loadCats(coco.getCatIds())} == {"circle", "star"}
    assert all(
        one["score"] >= 0.95
        for one in json.loads(Path(tmp_path / "coco.json").read_text())["annotations"]
    )

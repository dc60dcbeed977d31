"""The page of Try as a test uses it: pictures, prompts, pointers, and what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Download, Page, expect

from maskpool import rle
from services.command_line import until
from services.studio import Desk

SCENE = Path(__file__).resolve().parents[2] / "samples" / "scenes" / "crowded" / "scene_20.jpg"

#: In the scene's own pixels: on the middle circle, on the large triangle, on nothing.
CIRCLE, TRIANGLE, NOTHING = (320, 235), (160, 290), (300, 470)

#: Pixels of a layer that are not transparent; 0 the picture, 1 the masks, 2 what is pointed at.
_INKED = """(canvas, layer) => {
  const sheet = canvas.layers.canvases[layer];
  const copy = new OffscreenCanvas(sheet.width, sheet.height);
  const ink = copy.getContext("2d", {willReadFrequently: true});
  ink.drawImage(sheet, 0, 0);
  const {data} = ink.getImageData(0, 0, sheet.width, sheet.height);
  let count = 0;
  for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
  return count;
}"""


class Bench:
    """One page of Try and what is asked on it."""

    def __init__(self, desk: Desk, **options: Any) -> None:
        self.page = desk.open("/try", **options)
        self.canvas = self.page.locator("mask-canvas")

    def bring(self, scene: Path = SCENE) -> None:
        self.page.set_input_files("#file", scene)
        expect(self.canvas).to_be_visible()

    def prompt(self, *texts: str) -> None:
        for text in texts:
            self.page.get_by_label("Add a prompt").fill(text)
            self.page.keyboard.press("Enter")
        # How many count of a prompt is said when it was answered.
        expect(self.page.locator(".prompt .num").last).not_to_be_empty(timeout=60_000)
        expect(self.page.locator("#strip")).to_contain_text("Ready")
        self.page.locator("#prompts-title").click()

    def place(self, where: tuple[int, int]) -> tuple[float, float]:
        """Where a pixel of the picture is on the screen."""
        x, y = self.canvas.evaluate("(one, at) => one.view.toScreen(...at)", list(where))
        box = self.canvas.bounding_box()
        assert box is not None
        return box["x"] + x, box["y"] + y

    def click(self, where: tuple[int, int], **options: Any) -> None:
        self.page.mouse.click(*self.place(where), **options)

    def inked(self, layer: str) -> int:
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        return int(self.canvas.evaluate(_INKED, layer))

    def rows(self) -> list[str]:
        return self.page.locator("#masks tbody tr:not(.gap)").all_inner_texts()

    def count(self) -> int:
        return int(self.page.locator("#masks-count").inner_text())

    def downloads(self, name: str) -> Download:
        self.page.locator("#download-menu > summary").click()
        with self.page.expect_download() as told:
            self.page.get_by_role("button", name=name).click()
        return told.value


def answer(page: Page, instances: list[dict[str, Any]], prompts: list[dict[str, Any]]) -> None:
    """Answer a page's questions in the model's stead; what is left out of an instance is usual."""
    usual: dict[str, Any] = {
        "counts": True, "overlap": 0.0, "clip_score": None, "against": None, "against_text": None,
        "contended": None, "contender": None, "object_index": None, "area": 400,
        "box_xyxy": [10, 10, 30, 30],
    }  # fmt: skip
    made = [
        {**usual, "ordinal": at, "segmentation": _square(40 * at), **one}
        for at, one in enumerate(instances)
    ]
    result = {"width": 603, "height": 498, "instances": made, "prompts": prompts}
    body = json.dumps({"id": "0.0", "state": "ended", "link": "", "result": result})
    page.route(
        "**/api/v1/predict?*",
        lambda route: route.fulfill(body=body, content_type="application/json"),
    )


def _square(left: int) -> dict[str, Any]:
    mask = np.zeros((498, 603), bool)
    mask[10:30, left + 10 : left + 30] = True
    return {"size": [498, 603], "counts": rle.encode(mask).counts}


def settled(what: Callable[[], Any]) -> Any:
    return until(what, seconds=30)

"""How quick the Studio is under a hand: real pointers and keys in a real browser, medians.

    python bench/studio.py                     # two minutes
    python bench/studio.py --only paint
    python bench/studio.py --results bench/results
    python bench/studio.py --profile DIR       # what the time goes into; the figures are slower

A whole local pool with the demo model, headless Chromium without a GPU, a window of 1440 × 900.
From the moment of the event, as the browser has it, to the end of the frame that shows what it
did. Masks for the sections *paint* and *next* are ellipses in the page's own hands, so that nothing
but the page is measured; *correct* asks the model.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright
from services.command_line import until
from services.studio import Desk, Site, running_chromium, running_stack

from bench import machine
from bench.studio_profile import profiled
from bench.table import Row, show, sum_up
from maskpool import rle

SCENE = ROOT / "samples" / "scenes" / "crowded" / "scene_20.jpg"

#: Of the drawn picture, pixels; and how many masks lie on a pixel on average, where there are many.
_SIZE, _DEPTH = (1500, 1000), 25

#: Told to the page before it loads: when the frame was done that follows an event.
_WATCH = """
globalThis.framed = (type, until = () => true) => new Promise((done) =>
  addEventListener(type, (event) => {
    const look = () => requestAnimationFrame(() => {
      if (!until()) return look();
      const after = new MessageChannel();
      after.port1.onmessage = () => done(performance.now() - event.timeStamp);
      after.port2.postMessage(0);
    });
    look();
  }, {capture: true, once: true}));
"""


@dataclass
class Run:
    """A pool at work, and the browser."""

    site: Site
    browser: Browser
    asked: argparse.Namespace

    def page(self) -> Page:
        """Try, for somebody who logged in; what goes wrong in it is printed."""
        desk = Desk(self.browser, self.site)
        context = desk.person("ann")
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.on("pageerror", tell)
        page.goto(f"{self.site.url}/try")
        return page

    def paint(self) -> list[Row]:
        """Slider, pointer and click at 40 and at 1,000 masks."""
        rows = []
        for count, repaint in ((40, "≤ 20"), (1_000, "≤ 120")):
            page = self.page()
            given(page, count)
            bring(page, 1)
            slide = self.median(page, f"slide-{count}", lambda at, page=page: slid(page, at))
            hover = self.median(page, f"hover-{count}", lambda at, page=page: hovered(page, at))
            click = self.median(page, f"click-{count}", lambda at, page=page: clicked(page, at))
            rows += [
                Row(f"slider → repaint, {count:,} masks", slide, "ms", repaint),
                Row(f"pointer → mask stands out, {count:,} masks", hover, "ms", "≤ 15"),
                Row(f"click → label, {count:,} masks", click, "ms", "≤ 25"),
            ]
            page.context.close()
        return rows

    def next(self) -> list[Row]:
        """From one picture to another one that was looked at before."""
        page = self.page()
        given(page, 40)
        bring(page, 3)
        page.locator("#prompts-title").click()
        keys = ("ArrowLeft", "ArrowRight")
        went = self.median(page, "next", lambda at: pressed(page, keys[at % 2]))
        page.context.close()
        return [Row("key → next picture, 40 masks each", went, "ms", "≤ 60")]

    def correct(self) -> list[Row]:
        """A point, and the mask that the model draws for it."""
        page = self.page()
        page.set_input_files("#file", SCENE)
        prompt(page, "circle")
        page.keyboard.press("p")
        whole, asking = [], []
        with profiled(self.browser, page, self.asked.profile, "correct", self.asked.times):
            for at in range(self.asked.times):
                took, asked = corrected(page, at)
                whole.append(took)
                asking.append(asked)
                page.keyboard.press("z")
        page.context.close()
        own = median(took - asked for took, asked in zip(whole, asking, strict=True))
        return [
            Row("click → corrected mask, demo model", median(whole), "ms", "≤ 150"),
            Row("  the page's own share", own, "ms", "≤ 25"),
        ]

    def load(self) -> list[Row]:
        """The page with everything that it loads, for who comes the first time."""
        times, sizes = [], []
        for _ in range(5):
            context = Desk(self.browser, self.site).person("ann")
            page = context.new_page()
            loaded: list[Any] = []
            # Their sizes later: to ask for one takes the browser from its work.
            page.on("requestfinished", lambda one, to=loaded: to.append(one))
            with profiled(self.browser, page, self.asked.profile, "load", 1):
                began = time.perf_counter()
                page.goto(f"{self.site.url}/try")
                page.get_by_label("Add a prompt").wait_for()
                times.append(time.perf_counter() - began)
                page.wait_for_load_state("networkidle")
            sizes.append(sum(weight(one) for one in loaded) / 1000)
            context.close()
        return [
            Row("first load of Try", median(sizes), "kB", "≤ 150"),
            Row("  until it can be typed in", median(times), "s", "≤ 1"),
        ]

    def median(self, page: Page, name: str, once: Callable[[int], float]) -> float:
        """Of as many times as were asked for, after four to warm up."""
        for at in range(4):
            once(at)
        with profiled(self.browser, page, self.asked.profile, name, self.asked.times):
            return median(once(at) for at in range(self.asked.times))


SECTIONS: dict[str, Callable[[Run], list[Row]]] = {
    "load": Run.load,
    "paint": Run.paint,
    "next": Run.next,
    "correct": Run.correct,
}


def tell(fault: Any) -> None:
    """Print what went wrong in a page."""
    print(fault, file=sys.stderr)


def weight(request: Any) -> int:
    """Bytes of an answer, as they came over the wire."""
    return int(request.sizes()["responseBodySize"])


def given(page: Page, count: int) -> None:
    """Answer a page's questions with ellipses instead of the model's masks."""
    answer = json.dumps(ellipses(count))

    def fulfil(route: Route) -> None:
        route.fulfill(body=answer, content_type="application/json")

    page.route("**/api/v1/predict?*", fulfil)


def ellipses(count: int) -> dict[str, Any]:
    """An answer of the API with so many masks; their scores are spread over the slider."""
    random = np.random.default_rng(1)
    width, height = _SIZE
    deep = _DEPTH if count > 100 else 0.6
    radius = float(np.sqrt(deep * width * height / count / np.pi))
    y, x = np.ogrid[:height, :width]
    instances = []
    for at in range(count):
        wide, high = radius * random.uniform(0.6, 1.4, 2)
        left, top = random.uniform(0, width), random.uniform(0, height)
        mask = rle.encode(((x - left) / wide) ** 2 + ((y - top) / high) ** 2 < 1)
        instances.append(
            {
                "ordinal": at,
                "category": "circle",
                "prompt": 0,
                "counts": True,
                "score": 0.5 + 0.49 * at / count,
                "box_xyxy": rle.box_xyxy(rle.to_runs(mask)),
                "area": rle.to_runs(mask).area,
                "overlap": 0.0,
                "clip_score": None,
                "against": None,
                "against_text": None,
                "contended": None,
                "contender": None,
                "object_index": None,
                "segmentation": {"size": [height, width], "counts": mask.counts},
            }
        )
    result = {"width": width, "height": height, "instances": instances}
    return {"id": "0.0", "state": "ended", "link": "", "result": result}


def bring(page: Page, count: int) -> None:
    """Drop some pictures of noise, ask, and wait until each of them was answered."""
    files: list[Any] = []
    for at in range(count):
        noise = np.random.default_rng(at).integers(0, 255, (_SIZE[1] // 4, _SIZE[0] // 4, 3))
        buffer = io.BytesIO()
        Image.fromarray(noise.astype(np.uint8)).resize(_SIZE).save(buffer, "JPEG")
        files.append({"name": f"{at}.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()})
    page.set_input_files("#file", files)
    prompt(page, "circle")
    for _ in range(count - 1):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(1500)


def prompt(page: Page, text: str) -> None:
    """Ask for something, and wait for its masks."""
    page.get_by_label("Add a prompt").fill(text)
    page.keyboard.press("Enter")
    masks = "document.querySelector('mask-canvas').masks.length"
    until(lambda: page.evaluate(masks), seconds=60, what="an answer")
    page.locator("#prompts-title").click()
    page.wait_for_timeout(300)


def measured(page: Page, event: str, act: Callable[[], None], until: str = "true") -> float:
    """Milliseconds from an event of the page to the frame after which a condition holds."""
    page.evaluate(f"void (globalThis.took = framed({event!r}, () => {until}))")
    act()
    took: float = page.evaluate("took")
    page.wait_for_timeout(30)
    return took


def slid(page: Page, at: int) -> float:
    """One step of the slider by a key."""
    page.locator("#threshold").focus()
    key = "ArrowRight" if at % 20 < 10 else "ArrowLeft"
    return measured(page, "keydown", lambda: page.keyboard.press(key))


def hovered(page: Page, at: int) -> float:
    """One move of the pointer to another mask."""
    x, y = spot(page, at)
    return measured(page, "pointermove", lambda: page.mouse.move(x, y))


def clicked(page: Page, at: int) -> float:
    """A click on a mask, to its card."""
    x, y = spot(page, at + 1)
    page.keyboard.press("Escape")
    page.mouse.move(x, y)
    page.wait_for_timeout(30)
    seen = "!document.getElementById('card').hidden"
    return measured(page, "pointerup", lambda: page.mouse.click(x, y), seen)


def spot(page: Page, at: int) -> tuple[float, float]:
    """Where some mask is on the screen."""
    told: list[float] = page.evaluate(
        """(at) => {
          const one = document.querySelector("mask-canvas"), stage = one.getBoundingClientRect();
          const [left, top, right, bottom] = one.masks[(at * 7) % one.masks.length].box;
          const [x, y] = one.view.toScreen((left + right) / 2, (top + bottom) / 2);
          return [x + stage.left, y + stage.top];
        }""",
        at,
    )
    return told[0], told[1]


def pressed(page: Page, key: str) -> float:
    """A key that shows another picture with its masks."""
    page.evaluate("globalThis.was = document.querySelector('mask-canvas').scene.bitmap")
    seen = (
        "((one) => one.scene.bitmap !== was && one.masks.length > 0)"
        "(document.querySelector('mask-canvas'))"
    )
    return measured(page, "keydown", lambda: page.keyboard.press(key), seen)


def corrected(page: Page, at: int) -> tuple[float, float]:
    """Milliseconds from a point to the mask, and how long of them the server was asked."""
    x, y = spot(page, 0)
    page.evaluate(
        "performance.clearResourceTimings(); globalThis.had ="
        " document.querySelector('mask-canvas').scene.selected?.outline"
    )
    seen = (
        "(({scene}) => !scene.waits && scene.points.length && scene.selected?.outline !== had)"
        "(document.querySelector('mask-canvas'))"
    )
    shift = at % 5
    took = measured(page, "pointerup", lambda: page.mouse.click(x + shift, y + shift), seen)
    asked = "performance.getEntriesByType('resource').find((one) => one.name.includes('/predict'))"
    return took, float(page.evaluate(f"{asked}.duration"))


def main() -> None:
    """Measure what is asked for and print the table."""
    wanted = _asked()
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name,
        running_stack(Path(name)) as site,
        sync_playwright() as playwright,
        running_chromium(playwright, whole=True) as browser,
    ):
        print(f"{machine.name()}, Chromium {browser.version}", flush=True)
        run = Run(site, browser, wanted)
        for section in wanted.only or SECTIONS:
            measured_rows = SECTIONS[section](run)
            show(measured_rows)
            rows += measured_rows
    sum_up(rows)
    if wanted.results:
        content = {"rows": [asdict(row) for row in rows]}
        print(f"kept in {machine.save(wanted.results, machine.name(), 'studio', content)}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections, no others")
    parser.add_argument("--times", type=int, default=30, help="each is done")
    parser.add_argument("--profile", type=Path, help="folder for a trace of each section")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()

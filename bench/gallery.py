"""How a batch of very many images scrolls in the Studio, and how soon the next image is there.

    python bench/gallery.py                     # 100,000 images; two minutes
    python bench/gallery.py --images 20000
    python bench/gallery.py --results bench/results

Rows and mask objects are written without a worker, the web server is real, and so are wheel and
keys in a headless Chromium without a GPU, a window of 1440 × 900. *Frames* are the longest pauses
between two frames while the wheel turns; *blank* is the longest time for which a tile in the window
had no name yet. The memory is what the page's scripts hold after a collection.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import tempfile
import time
from dataclasses import asdict
from statistics import median
from typing import Any
from uuid import UUID

from playwright.sync_api import CDPSession, Page, sync_playwright
from services.plain_pool import SPEC, a_result
from services.studio import Desk, Site, running_chromium, running_site
from sqlalchemy import insert, update

from bench import machine
from bench.table import Row, show, sum_up
from db import batches, jobs
from db.batches import NewBatch
from db.models import BatchRow, InstanceRow, JobRow
from db.schema import upgrade
from maskpool.domain import BatchState, ImageRef, JobResult, JobState, new_id
from storage.objects import keys, masks, open_store

SCENE = ROOT / "samples" / "scenes" / "scene_02.jpg"

#: Images of one mask object, and of one transaction.
_CHUNK, _BLOCK = 64, 6_400

#: Told to the page before it loads: how long its scripts work in each frame.
_TURNS = """
(() => {
  const plain = requestAnimationFrame;
  globalThis.turns = [];
  globalThis.requestAnimationFrame = (work) => plain((now) => {
    const began = performance.now();
    work(now);
    turns.push(performance.now() - began);
  });
})();
"""

#: Told to the page: pauses between frames, and how long tiles in the window stay without a name.
_WATCH = """
() => {
  const seen = { frames: [], blank: 0, since: 0, last: performance.now() };
  globalThis.seen = seen;
  const bare = () => [...document.querySelectorAll("#tiles > li:not([hidden])")].some((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return bottom > 0 && top < innerHeight && !one.querySelector(".trunc").textContent;
  });
  const look = (now) => {
    seen.frames.push(now - seen.last);
    seen.last = now;
    if (!bare()) seen.since = now;
    seen.blank = Math.max(seen.blank, now - (seen.since || now));
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
"""

#: How long from a key to the frame that shows the next picture.
_NEXT = """
() => {
  const own = customElements.get("mask-canvas").prototype, show = own.show;
  globalThis.steps = [];
  let pressed = 0;
  addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
  own.show = function (...args) {
    show.apply(this, args);
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => globalThis.steps.push(performance.now() - pressed);
      after.port2.postMessage(0);
    });
  };
}
"""


def fill(site: Site, count: int) -> UUID:
    """A batch of ``count`` images of one file, all DONE, with three instances each."""
    store = open_store((site.home / "store").as_uri())
    new = NewBatch("ann", str(new_id()), f"{count:,} images", "demo", SPEC.dump(), "none")
    with site.database.write() as session:
        batch = batches.create_or_find(session, new).batch_id
    for first in range(0, count, _BLOCK):
        seqs = range(first, min(first + _BLOCK, count))
        ends: list[dict[str, Any]] = []
        found: list[dict[str, Any]] = []
        for lo in range(seqs.start, seqs.stop, _CHUNK):
            results = [a_result(seq) for seq in range(lo, min(lo + _CHUNK, seqs.stop))]
            named = [(_name(one.seq), one) for one in results]
            made = masks.encode_chunk(batch, new_id(), "demo", SPEC.prompts, named)
            store.put(keys.mask_object(batch, made.masks_key), made.data, "application/zstd")
            ends += [_end(batch, one, made) for one in results]
            found += [row for one in results for row in _instances(batch, one)]
        with site.database.write() as session:
            refs = [ImageRef(_name(seq), SCENE.as_uri()) for seq in seqs]
            jobs.load_block(session, batch, first, refs)
            session.execute(update(JobRow), ends)
            session.execute(insert(InstanceRow), found)
    with site.database.write() as session:
        done = {"state": BatchState.DONE, "done": count, "total": count, "loaded": count}
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(done))
    return batch


def _name(seq: int) -> str:
    return f"{seq:06d}.jpg"


def _end(batch: UUID, one: JobResult, made: masks.ChunkObject) -> dict[str, Any]:
    """A job's row once it is done."""
    offset, length = made.spans[one.seq]
    return {
        "batch_id": batch,
        "seq": one.seq,
        "state": JobState.DONE,
        "masks_key": made.masks_key,
        "masks_offset": offset,
        "masks_length": length,
        "width": one.width,
        "height": one.height,
        "n_instances": len(one.instances),
    }


def _instances(batch: UUID, one: JobResult) -> list[dict[str, Any]]:
    return [
        {
            "batch_id": batch,
            "seq": one.seq,
            "ordinal": ordinal,
            "x": 0,
            "y": 0,
            "w": 1,
            "h": 1,
            "prompt_index": each.found.prompt_index,
            "score": each.found.score,
            "area": each.area,
            "overlap": each.overlap,
        }
        for ordinal, each in enumerate(one.instances)
    ]


def memory(page: Page, protocol: CDPSession) -> tuple[float, int]:
    """Megabytes that the page's scripts hold, and its elements."""
    protocol.send("HeapProfiler.collectGarbage")
    return page.evaluate("performance.memory.usedJSHeapSize") / 1e6, page.locator("*").count()


def scrolled(page: Page, seconds: float, step: int) -> dict[str, float]:
    """Turn the wheel for some seconds, ``step`` pixels sixty times each."""
    page.evaluate("() => { turns.length = 0; }")
    page.evaluate("() => Object.assign(seen, { frames: [], blank: 0, since: 0 })")
    page.mouse.move(500, 600)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.mouse.wheel(0, step)
        time.sleep(1 / 60)
    frames = sorted(page.evaluate("seen.frames"))
    own, blank = max(page.evaluate("turns")), page.evaluate("seen.blank")
    return {"longest": frames[-1], "own": own, "blank": blank}


def jumped(page: Page, share: float) -> float:
    """Milliseconds until the tiles are there after the scrollbar was dragged somewhere."""
    return float(
        page.evaluate(
            """async (share) => {
              const began = performance.now();
              scrollTo({ top: document.documentElement.scrollHeight * share, behavior: "instant" });
              const bare = () => {
                const seen = [...document.querySelectorAll("#tiles > li:not([hidden])")].filter(
                  (one) => one.getBoundingClientRect().bottom > 0);
                return !seen.length || seen.some((one) => !one.querySelector(".trunc").textContent);
              };
              await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
              while (bare()) await new Promise((done) => requestAnimationFrame(done));
              return performance.now() - began;
            }""",
            share,
        )
    )


def stepped(page: Page, times: int) -> float:
    """Milliseconds from a key to the next picture, as somebody looks at each for a moment."""
    page.evaluate("() => { globalThis.steps = []; }")
    for _ in range(times):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(700)
    return median(page.evaluate("steps"))


def measure(site: Site, desk: Desk, batch: UUID) -> list[Row]:
    """All of it, in one browser."""
    context = desk.person("ann")
    context.add_init_script(_TURNS)
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    page.goto(f"{site.url}/batches/{batch}", wait_until="commit")
    page.locator("#tiles img[src]").first.wait_for()
    page.wait_for_timeout(2_000)
    page.evaluate(_WATCH)
    scrolled(page, 2, 120)
    before, elements = memory(page, protocol)
    slow, fast = scrolled(page, 10, 120), scrolled(page, 10, 1_200)
    jumps = [jumped(page, share) for share in (0.5, 0.9, 0.2, 0.7, 0.999, 0.4)]
    scrolled(page, 5, 120)
    page.wait_for_timeout(1_000)
    after, more = memory(page, protocol)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1_000)
    page.locator("#tiles > li:not([hidden]) a").nth(3).click()
    page.wait_for_timeout(2_000)
    page.evaluate(_NEXT)
    near = stepped(page, 12)
    slowly = {"offline": False, "latency": 300, "downloadThroughput": -1, "uploadThroughput": -1}
    protocol.send("Network.emulateNetworkConditions", slowly)
    far = stepped(page, 12)
    context.close()
    rows = [
        Row("wheel at a reader's pace: longest frame", slow["longest"], "ms", "≤ 200"),
        Row("  of which the page's scripts", slow["own"], "ms", "≤ 100"),
        Row("  longest blank tile", slow["blank"], "ms", "≤ 200"),
        Row("wheel ten times as fast: longest frame", fast["longest"], "ms", "≤ 200"),
        Row("  of which the page's scripts", fast["own"], "ms", "≤ 100"),
        Row("  longest blank tile", fast["blank"], "ms", "≤ 200"),
        Row("scrollbar far away → tiles, median", median(jumps), "ms", ""),
        Row("memory of scripts before", before, "MB", ""),
        Row("  and after all that", after, "MB", f"≤ {before + 10:.0f}"),
        Row("elements before", elements, "", ""),
        Row("  and after all that", more, "", f"≤ {elements + 200:,}"),
        Row("key → next image", near, "ms", "≤ 60"),
        Row("  at 300 ms round trip", far, "ms", "≤ 60"),
    ]
    show(rows)
    return rows


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="maskpool-bench-") as folder,
        sync_playwright() as playwright,
    ):
        made, home = Path(folder) / "template.sqlite", Path(folder) / "home"
        home.mkdir()
        upgrade(f"sqlite:///{made}")
        roots = {"source_roots": (str(SCENE.parent),)}
        with (
            running_site(home, made, **roots) as site,
            running_chromium(playwright, whole=True) as browser,
        ):
            print(
                f"{machine.name()}, Chromium {browser.version}, {asked.images:,} images", flush=True
            )
            rows = measure(site, Desk(browser, site), fill(site, asked.images))
    sum_up(rows)
    if asked.results:
        content = {"images": asked.images, "rows": [asdict(row) for row in rows]}
        print(f"kept in {machine.save(asked.results, machine.name(), 'gallery', content)}")


if __name__ == "__main__":
    main()

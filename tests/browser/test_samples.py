"""What a batch says of itself: that it is a sample, how fast it goes, what was sent.

The way from a sample to the whole is in `test_try_to_batch.py`.
"""

from __future__ import annotations

from uuid import UUID

import pytest
from playwright.sync_api import expect
from services.plain_pool import PlainPool
from services.studio import Desk, Site
from sqlalchemy import update

from db.models import BatchRow
from storage.objects import open_store
from web.studio import assets


@pytest.fixture(scope="module")
def pool(site: Site) -> PlainPool:
    return PlainPool(site.database, open_store((site.home / "store").as_uri()))


def test_a_sample_from_elsewhere_says_how_to_go_on(desk: Desk, pool: PlainPool) -> None:
    batch = pool.submit(2)
    drawn = {"images": 2, "seed": 7, "of": 9}
    with pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(sample=drawn))
    page = desk.open(f"/batches/{batch}")
    note = page.locator("#sample")
    expect(note).to_contain_text("submit the same again without a sample")
    expect(note.get_by_role("button")).to_have_count(0)
    expect(page.locator("#settings")).to_contain_text("2 of 9 pictures, seed 7")


def test_a_list_that_a_reload_would_lose_is_named(desk: Desk) -> None:
    page = desk.open("/batches/new")
    page.get_by_role("radio", name="List of addresses").check(force=True)
    unkept = page.locator("#list-unkept")
    # A browser keeps some five million characters of a site; so many are taken.
    page.evaluate("() => localStorage.setItem('other', 'x'.repeat(5_230_000))")
    page.locator("#list").fill("https://images.example.org/" + "1" * 20_000)
    expect(unkept).to_be_visible()
    page.locator("#list").fill("https://images.example.org/1.jpg")
    expect(unkept).to_be_hidden()


def test_the_speed_is_drawn_once_there_is_one(desk: Desk, pool: PlainPool) -> None:
    batch: UUID = pool.submit(3)
    page = desk.open(f"/batches/{batch}")
    expect(page.locator("#total")).to_have_text("of 3 pictures")
    expect(page.locator("#chart")).to_be_hidden()
    told = page.evaluate(
        """async (source) => {
          const { BatchChart } = await import(source);
          const box = document.createElement("div");
          const chart = new BatchChart(box), state = "active";
          const seen = [];
          for (let at = 1; at <= 61; at++) {
            chart.note({ state, done: Math.min(at, 31) * 10, failed: 0 }, at);
            if (at === 8) seen.push(box.hidden);
          }
          const drawing = box.querySelector("svg");
          seen.push(box.hidden, drawing.getAttribute("aria-label"));
          chart.note({ state: "done", done: 1, failed: 0 }, 62);
          return [...seen, box.hidden];
        }""",
        assets.load().path("batch-chart.js"),
    )
    words = "Speed over the last 48 secs: 0.0 pictures a second now, between 0.0 and 10.0."
    assert told[0] is True
    assert told[1:] == [False, words, True]


def test_what_was_sent_for_a_name_stands_beside_it(desk: Desk, pool: PlainPool) -> None:
    batch = pool.submit(2)
    pool.drain()
    with pool.database.write() as session:
        spec = session.get_one(BatchRow, batch).spec
        first, *rest = spec["prompts"]
        named = {**spec, "prompts": [{**first, "name": "红色汽车", "text": "red car"}, *rest]}
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(spec=named))
    page = desk.open(f"/batches/{batch}")
    expect(page.locator("#settings")).to_contain_text("红色汽车 → red car, b")
    expect(page.locator("#counts li").first).to_contain_text("红色汽车 red car")

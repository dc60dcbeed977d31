"""The pool's page: who works, what waits, and when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect
from services.plain_pool import PlainPool
from services.studio import Desk, Site, running_site

from db import workers
from db.workers import WorkerInfo
from storage.objects import open_store

FLOWER = "https://masks.example.org/flower"


@pytest.fixture(scope="module")
def site(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with running_site(folder, _sqlite_template, flower_url=FLOWER) as site:
        yield site


def test_workers_and_queue_are_shown_as_they_change(desk: Desk) -> None:
    page = desk.open("/pool")
    expect(page.get_by_text("No worker is running", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    with desk.site.database.write() as session:
        for number in (0, 1):
            worker = WorkerInfo(uuid4(), f"gpu-1:{number}", f"cuda:{number}", "demo", 3, 10.0)
            workers.announce(session, worker)
    PlainPool(desk.site.database, open_store((desk.site.home / "store").as_uri())).submit(200)
    expect(page.locator("#workers tr")).to_have_count(2)
    expect(page.locator("#workers tr").first).to_contain_text("GPU 0")
    expect(page.locator("#speed")).to_have_text("20.0")
    expect(page.locator("#waiting")).to_have_text("200")
    expect(page.locator("#left")).to_contain_text("10 sec")
    expect(page.locator("#queue tr")).to_contain_text("In bulk")
    expect(page.locator("#queue tr")).to_contain_text("about 10 sec")


def test_flower_is_linked_where_a_setting_says_it(desk: Desk) -> None:
    page = desk.open("/pool")
    expect(page.get_by_role("link", name="Open Flower")).to_have_attribute("href", FLOWER)


def test_waits_follow_the_even_share(desk: Desk) -> None:
    page = desk.open("/pool")
    script = page.locator("head script[type=module]").get_attribute("src")
    waits = page.evaluate(
        """async (address) => {
          const { doneIn } = await import(address);
          const queue = [["a", "bulk", 100], ["b", "bulk", 10], ["c", "now", 4], ["d", "now", 1]]
            .map(([owner, kind, images]) => ({ owner, class: kind, batches: 1, images }));
          return queue.map((one) => doneIn(one, queue, 2));
        }""",
        script,
    )
    # The small batch is served as often as the large one until it ends; "now" goes first.
    assert waits == [(100 + 10 + 5) / 2, (10 + 10 + 5) / 2, (4 + 1) / 2, (1 + 1) / 2]


def test_times_sizes_and_plurals_are_written_as_people_do(browser: Browser, site: Site) -> None:
    desk = Desk(browser, site)
    page = desk.open("/pool", language="zh")
    script = str(page.locator("head script[type=module]").get_attribute("src"))
    told = page.evaluate(
        """async (address) => {
          const words = await import(address);
          const { duration, bytes, ago, percent, pace } = words;
          return [duration(0), duration(0.4), duration(59.6), duration(276), duration(7200),
            bytes(0), bytes(999), bytes(1500), bytes(25_300_000), percent(0.256), pace(0.04),
            pace(123.4), ago(Date.now() - 120_000)];
        }""",
        script.replace("pool.js", "words.js"),
    )
    assert told == [
        *("0秒", "400毫秒", "1分钟", "4分钟 36秒", "2小时"),
        *("0 B", "999 B", "1.5 kB", "25 MB", "26%", "0.0", "123", "2分钟前"),
    ]
    desk.close()

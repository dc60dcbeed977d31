"""One stream of events a browser, however many tabs look at it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page
from services.plain_pool import PlainPool
from services.studio import Desk

from storage.objects import open_store

TABS = 8

#: Lets a page keep what it hears.
_HEAR = """
async (address) => {
  const { onBatches } = await import(address);
  globalThis.heard = null;
  onBatches((batches) => { globalThis.heard = batches.map((one) => one.total); });
}
"""

_HEARD = """
(all) => JSON.stringify(globalThis.heard?.toSorted((a, b) => a - b)) === JSON.stringify(all)
"""


def listen(page: Page) -> None:
    script = str(page.locator("head script[type=module]").get_attribute("src"))
    page.evaluate(_HEAR, script.replace("account.js", "events.js"))


def hears(page: Page, totals: list[int]) -> None:
    page.wait_for_function(_HEARD, arg=sorted(totals))


def tabs(context: BrowserContext, url: str) -> list[Page]:
    pages = [context.new_page() for _ in range(TABS)]
    for page in pages:
        page.goto(url)
        listen(page)
    return pages


def test_many_tabs_share_one_stream_and_another_takes_over(desk: Desk) -> None:
    streams: list[str] = []
    context = desk.person()
    context.on(
        "request", lambda one: streams.append(one.url) if one.url.endswith("/events") else None
    )
    pool = PlainPool(desk.site.database, open_store((desk.site.home / "store").as_uri()))
    pool.submit(3)
    pages = tabs(context, f"{desk.site.url}/account")
    for page in pages:
        hears(page, [3])
    assert len(streams) == 1
    pages[0].close()
    pool.submit(5)
    for page in pages[1:]:
        hears(page, [3, 5])
    assert len(streams) == 2


def test_a_lost_stream_catches_up(desk: Desk) -> None:
    pool = PlainPool(desk.site.database, open_store((desk.site.home / "store").as_uri()))
    page = desk.open("/account")
    listen(page)
    page.wait_for_function("() => globalThis.heard !== null")
    before = page.evaluate("globalThis.heard")
    desk.expected += ["ERR_INTERNET_DISCONNECTED", "ERR_"]
    page.context.set_offline(True)
    pool.submit(11)
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    hears(page, [*before, 11])

"""What holds of each page, in each language, theme and size."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from services.studio import PHONE, Desk

#: A new page belongs here; ``{id}`` is left to the tests of a page that needs a batch.
PAGES = (
    *("/login", "/try", "/batches", "/batches/new"),
    *("/glossary", "/glossary?list=shipped", "/pool", "/account", "/api/docs", "/nowhere"),
)

#: Bytes of a page with all its files, as they come to a browser that takes gzip.
_MAX_FIRST_LOAD = 150_000

#: Less is no page.
_MIN_FIRST_LOAD = 10_000

#: Pixels of a finger's tip.
_TOUCH = 44

#: In a snapshot of what a screen reader is told: something to press or fill in without a name.
_NAMELESS = re.compile(
    r"^\s*- (button|link|textbox|checkbox|radio|slider|combobox|switch)(:|$| \[)", re.MULTILINE
)

_SMALL = """
(least) => [...document.querySelectorAll("button, select, summary, input:not([type=radio]), nav a")]
  .filter((one) => one.checkVisibility() && !one.closest("label"))
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.height < least || box.width < least))
  .map(([one, box]) => `${one.outerHTML.slice(0, 120)} ${box.width} × ${box.height}`)
"""


def open_page(desk: Desk, path: str, language: str, theme: str) -> tuple[Page, int]:
    """A page, and how many bytes it took."""
    loaded: list[int] = []
    name = None if path == "/login" else "ann"
    context = desk.person(name, language=language, theme=theme)
    context.on("requestfinished", lambda one: loaded.append(one.sizes()["responseBodySize"]))
    page = context.new_page()
    if path == "/nowhere":
        desk.expected += ["404 of "]
    page.goto(f"{desk.site.url}{path}")
    page.wait_for_load_state("networkidle")
    # Sizes are told by the browser, which may be later with them than with its page.
    for _ in range(50):
        if sum(loaded) > _MIN_FIRST_LOAD:
            break
        page.wait_for_timeout(100)
    return page, sum(loaded)


def assert_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    told = page.locator("body").aria_snapshot()
    assert not _NAMELESS.search(told), told
    assert told.count("- main") == 1, told
    assert told.count("[level=1]") == 1, told


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
@pytest.mark.parametrize("path", PAGES)
def test_it_is_for_everybody(desk: Desk, path: str, language: str, theme: str) -> None:
    page, size = open_page(desk, path, language, theme)
    assert _MIN_FIRST_LOAD < size < _MAX_FIRST_LOAD
    expect(page.locator("html")).to_have_attribute("lang", {"en": "en", "zh": "zh-CN"}[language])
    assert_accessible(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert page.evaluate(_SMALL, _TOUCH) == []
    assert_accessible(page)

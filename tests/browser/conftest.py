"""Pages in a real browser: each test fails on whatever the page or its console complain of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from services.process import serve
from services.studio import Desk, Site, running_chromium, running_site

# Five seconds, the usual, are few on a machine that runs other tests beside.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests here that a process runs; each person has a profile in it.

    It ends with the last of them: Playwright's loop would be in the way of tests with another.
    """
    with sync_playwright() as playwright:
        yield from serve(running_chromium(playwright))


@pytest.fixture(scope="module")
def site(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server without workers, for all tests of a module."""
    with running_site(tmp_path_factory.mktemp("site"), _sqlite_template) as site:
        yield site


@pytest.fixture
def desk(browser: Browser, site: Site) -> Iterator[Desk]:
    """Opens pages; the test fails if anything went wrong in one."""
    desk = Desk(browser, site)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def _lasting(browser: Browser, site: Site) -> Iterator[tuple[Desk, Page]]:
    desk = Desk(browser, site)
    yield desk, desk.open("/login", None)
    desk.close()


@pytest.fixture
def page(_lasting: tuple[Desk, Page]) -> Iterator[Page]:
    """One page of ours for all tests of a file that only call its modules.

    To open one takes longer than what they ask. A test fails on what went wrong in its time.
    """
    desk, page = _lasting
    yield page
    desk.must_be_well()

"""Pages in a real browser: each test fails on whatever the page or its console complain of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from services.process import serve
from services.studio import Desk, Site, running_chromium, running_site, running_stack

# Five seconds, the usual, are few on a machine that runs other tests beside.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a module."""
    with sync_playwright() as playwright:
        yield from serve(running_chromium(playwright))


@pytest.fixture(scope="module")
def site(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server without workers, for all tests of a module."""
    with running_site(tmp_path_factory.mktemp("site"), _sqlite_template) as site:
        yield site


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A whole pool; a module that needs one lets its own ``site`` be this."""
    with running_stack(tmp_path_factory.mktemp("stack")) as site:
        yield site


@pytest.fixture
def desk(browser: Browser, site: Site) -> Iterator[Desk]:
    """Opens pages; the test fails if anything went wrong in one."""
    desk = Desk(browser, site)
    yield desk
    desk.close()

"""The Studio for tests: a real web server, and browsers that tell whatever goes wrong in them."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, Response
from pydantic import SecretStr

from db import accounts
from db.session import Database
from maskpool.listening import listen
from maskpool.settings import Settings
from producer.accounts import sessions
from services.command_line import serving, until
from services.process import Missing, free_port
from services.stack import await_stack
from web.app import create_app

#: Of every browser: nothing but the page speaks to anybody.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

#: Told by the page itself, as the console says the same in the browser's own words.
_WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""

_NUMBERS = itertools.count()

#: A laptop's window and a phone's.
LAPTOP, PHONE = (1440, 900), (390, 844)


@dataclass
class Site:
    """A web server that people's browsers may ask.

    Attributes:
        url: Its address with the path prefix, without a slash at the end.
        database: Of its pool.
        home: Folder of the server.
        keeper: Process of ``maskpool up``; 0 where there is none.
    """

    url: str
    database: Database
    home: Path
    keeper: int = 0

    def cookie(self, name: str) -> dict[str, Any]:
        """The cookie of a browser in which a user has just logged in; an admin if they are new."""
        with self.database.write() as session:
            if accounts.by_name(session, name) is None:
                accounts.insert(session, name)
                made = accounts.by_name(session, name)
                assert made is not None
                accounts.set_admin(session, made.id, admin=True)
            user = accounts.by_name(session, name)
            assert user is not None
            secret = sessions.begin(session, user, agent="Chrome on Linux", address="")
        host = urlsplit(self.url).hostname
        return {"name": "maskpool", "value": secret, "domain": host, "path": "/"}


@contextmanager
def running_site(folder: Path, template: Path, prefix: str = "", **settings: Any) -> Iterator[Site]:
    """A web server in a thread, over a fresh SQLite file and a folder store.

    Args:
        folder: Empty; for database and store.
        template: A migrated SQLite file.
        prefix: Path before all its addresses.
        settings: More of them.
    """
    for part in template.parent.glob("template.sqlite*"):
        shutil.copy(part, folder / part.name.replace("template", "maskpool"))
    (folder / "store").mkdir()
    address = f"127.0.0.1:{free_port()}"
    known = Settings(
        home=folder,
        database_url=SecretStr(f"sqlite:///{folder / 'maskpool.sqlite'}"),
        store_url=(folder / "store").as_uri(),
        serve_address=address,
        public_url=f"http://{address}{prefix}",
        owner="ann",
        **{"redis_url": SecretStr("redis://127.0.0.1:1/0"), **settings},
    )
    app = create_app(known)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with listen(address) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Site(f"http://{address}{prefix}", app.state.pool.database, folder)
        finally:
            app.state.closing.set()
            server.should_exit = True
            thread.join()


@contextmanager
def running_stack(folder: Path) -> Iterator[Site]:
    """All of a pool, as ``maskpool up`` starts it: demo models, dispatcher, clerk and web server.

    Args:
        folder: Empty; images are read under it.
    """
    # What a killed worker had taken is given to the next one after this long.
    soon = {"MASKPOOL_LEASE_SECONDS": "6"}
    with serving("up", log=folder / "up.log", cwd=folder, env=soon) as up:
        stack = await_stack(folder)
        url = f"http://{stack['serve_address']}"
        with closing(Database(stack["database_url"])) as database:
            until(lambda: _answers(f"{url}/healthz"), what="the web server")
            yield Site(url, database, folder / ".maskpool", up.pid)


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).is_success
    return False


@contextmanager
def running_chromium(playwright: Playwright, *, whole: bool = False) -> Iterator[Browser]:
    """Debian's Chromium, without the pages of its own window where there is such a one.

    These take half of the processor time of a short test.

    Args:
        playwright: Drives it.
        whole: Only the one that people have, as for figures.

    Raises:
        Missing: There is none.
    """
    programs = ("chromium",) if whole else ("chromium-headless-shell", "chromium")
    program = next(filter(None, map(shutil.which, programs)), None)
    if program is None:
        raise Missing("chromium is missing: apt-get install chromium")
    browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
    try:
        yield browser
    finally:
        browser.close()


@dataclass
class Desk:
    """Opens pages and keeps all that went wrong in them.

    Attributes:
        browser: In which pages open.
        site: Whose pages they are.
        faults: Sentences; a test ends with none.
        expected: Parts of sentences that are no fault in this test.
    """

    browser: Browser
    site: Site
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def new_number(self) -> int:
        """A number that this process gave to no other test."""
        return next(_NUMBERS)

    def person(
        self,
        name: str | None = "ann",
        *,
        language: str = "en",
        theme: str = "light",
        window: tuple[int, int] = LAPTOP,
        **options: Any,
    ) -> BrowserContext:
        """A browser of somebody's own; of nobody who is logged in where the name is None."""
        width, height = window
        touch = width < 720
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            locale={"en": "en-GB", "zh": "zh-CN"}[language],
            color_scheme=theme,  # type: ignore[arg-type]  # light or dark
            has_touch=touch,
            is_mobile=touch,
            timezone_id="UTC",
            **options,
        )
        self._contexts.append(context)
        if name is not None:
            context.add_cookies([self.site.cookie(name)])  # type: ignore[list-item]
        context.add_init_script(_WATCH_POLICY)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("weberror", lambda error: self._fault(f"page error: {error.error}"))
        context.on("console", lambda said: self._on_console(said.type, said.text))
        context.set_default_timeout(15_000)
        return context

    def open(self, path: str, name: str | None = "ann", **options: Any) -> Page:
        """A page of the Studio in a browser of its own."""
        page = self.person(name, **options).new_page()
        page.goto(f"{self.site.url}{path}")
        return page

    def close(self) -> None:
        """Close all browsers and fail if anything went wrong."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        self.must_be_well()

    def must_be_well(self) -> None:
        """Fail if anything went wrong since the last time; what was expected is so no more."""
        faults, self.faults, self.expected = self.faults, [], []
        assert not faults, "\n".join(faults)

    def _fault(self, sentence: str) -> None:
        if not any(part in sentence for part in self.expected):
            self.faults.append(sentence)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.site.url}/", "blob:")):
            self._fault(f"request to {request.url}")

    def _on_response(self, response: Response) -> None:
        refused = response.status >= 400 and "/api/" not in response.url
        if refused or response.status >= 500:
            self._fault(f"{response.status} of {response.url}")

    def _on_console(self, kind: str, text: str) -> None:
        # What the server refuses is told by its status, above.
        if kind in ("error", "warning") and "status of 4" not in text:
            self._fault(f"console {kind}: {text}")

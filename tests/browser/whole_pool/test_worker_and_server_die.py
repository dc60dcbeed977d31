"""Worker and web server are killed under open pages: what was clicked and typed comes through.

The last file of this folder, as it hurts the pool that all of them share. Who keeps the pool starts
again what dies.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from services.command_line import process_of
from services.studio import Desk, Site
from services.try_page import CIRCLE, TRIANGLE, Bench, settled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: A worker takes seconds to start, and the lease of the one that was killed has to lapse.
BACK = 90_000

#: What Chromium says of a connection that the server's death cut.
CUT = ("net::ERR_", "500 of ", "502 of ")


#: What a reload of Try would bring back; written a moment after each change.
_KEPT = "sessionStorage.getItem('maskpool.try') ?? '{\"pictures\": []}'"


def process(site: Site, room: str) -> int:
    return process_of(f"-P -m {room}", str(site.home))


@contextmanager
def frozen(number: int) -> Iterator[None]:
    """A process that does nothing for now; one that was killed meanwhile stays dead."""
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        if Path(f"/proc/{number}").exists():
            os.kill(number, signal.SIGCONT)


def correct_two(bench: Bench) -> None:
    """Click on two objects, one after the other, and type half a word."""
    bench.page.keyboard.press("n")
    bench.click((CIRCLE[0] - 40, CIRCLE[1]))
    bench.page.keyboard.press("Escape")
    bench.page.keyboard.press("Escape")
    bench.page.keyboard.press("n")
    bench.click((TRIANGLE[0] + 20, TRIANGLE[1]))
    bench.page.get_by_label("Add a prompt").fill("half a wo")


def corrected(bench: Bench) -> int:
    return sum("corrected" in row for row in bench.rows())


def both_came(bench: Bench) -> None:
    settled(lambda: corrected(bench) == 2)
    expect(bench.page.locator("#strip")).to_contain_text("Ready")
    expect(bench.page.get_by_label("Add a prompt")).to_have_value("half a wo")


def test_a_killed_worker_costs_a_wait_and_no_click(desk: Desk) -> None:
    bench = Bench(desk)
    bench.bring()
    bench.prompt("circle, not ring", "big=triangle")
    # Until the second click has been said to wait, nobody starts the worker again.
    with frozen(desk.site.keeper):
        os.kill(process(desk.site, "workers"), signal.SIGKILL)
        correct_two(bench)
        expect(bench.page.locator("#strip")).to_contain_text("Asked")
        # What is there can be used meanwhile.
        bench.page.locator("#threshold").fill("0.4")
    expect(bench.page.locator("#strip")).to_contain_text("Ready", timeout=BACK)
    both_came(bench)
    expect(bench.page.locator("#threshold-out")).to_have_text("0.40")


def submit(page: Page, site: Site) -> str:
    """A batch of the picture that the page brought, which waits; its id."""
    [picture] = settled(lambda: json.loads(page.evaluate(_KEPT))["pictures"])
    asked = {
        "spec": {"prompts": [{"text": "circle"}]},
        "source": {"uploads": [picture["origin"]["upload"]]},
        "name": "through hard times",
    }
    made = post(page, site, "/api/v1/batches", asked)
    return str(made["id"])


def post(page: Page, site: Site, path: str, body: object = None) -> Any:
    origin = {"Origin": site.url}
    answer = page.request.post(f"{site.url}{path}", data=body, headers=origin)
    assert answer.ok, answer.text()
    return answer.json()


def test_a_restarted_server_is_said_and_caught_up_with(desk: Desk) -> None:
    desk.expected += CUT
    bench = Bench(desk)
    bench.bring()
    bench.prompt("circle, not ring", "big=triangle")
    worker = process(desk.site, "workers")
    lost = "The server cannot be reached."
    with frozen(worker):
        batch = submit(bench.page, desk.site)
        other = desk.open(f"/batches/{batch}")
        expect(other.locator("#state")).to_have_text("Waiting")
        other.get_by_role("button", name="Pause").click()
        expect(other.locator("#state")).to_have_text("Paused")
        correct_two(bench)
        expect(bench.page.locator("#strip")).to_contain_text("Asked")
        with frozen(desk.site.keeper):
            os.kill(process(desk.site, "web"), signal.SIGKILL)
            for page in (bench.page, other):
                expect(page.get_by_text(lost).first).to_be_visible()
            other.locator("#acts summary").click()
            other.get_by_role("button", name="Rename").click()
            other.locator("#new-name").fill("half ty")
    for page in (bench.page, other):
        expect(page.locator("[data-line=offline]")).to_have_count(0, timeout=BACK)
    both_came(bench)
    # The stream is there again: what another browser does is seen.
    post(bench.page, desk.site, f"/api/v1/batches/{batch}/resume")
    expect(other.locator("#state")).to_have_text(re.compile("Waiting|Running|Done"))
    expect(other.locator("#new-name")).to_have_value("half ty")
    other.keyboard.press("Enter")
    expect(other.locator("h1")).to_have_text("half ty")
    expect(other.locator("#state")).to_have_text("Done", timeout=BACK)
    # And the next click works.
    bench.page.get_by_label("Add a prompt").blur()
    for key in ("r", "Escape", "Escape", "n"):
        bench.page.keyboard.press(key)
    assert corrected(bench) == 0
    bench.click((CIRCLE[0] - 40, CIRCLE[1]))
    settled(lambda: corrected(bench) == 1)

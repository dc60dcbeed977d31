"""What one does to a batch, another who has it open sees within seconds, without a reload."""

from __future__ import annotations

from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from services.plain_pool import PlainPool
from services.studio import Desk, Site
from sqlalchemy import update

from db.models import BatchRow
from storage.objects import open_store

#: One that ended long ago is told by no stream of events.
LONG_AGO_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def pool(site: Site) -> PlainPool:
    return PlainPool(site.database, open_store((site.home / "store").as_uri()))


def both(desk: Desk, batch: UUID) -> tuple[Page, Page]:
    """The batch's page in two browsers that know nothing of each other."""
    one, other = (desk.open(f"/batches/{batch}") for _ in range(2))
    for page in (one, other):
        expect(page.locator("#reading > :not([inert])")).to_be_visible()
    return one, other


def choose(page: Page, act: str) -> None:
    page.locator("#acts summary").click()
    page.get_by_role("button", name=act).click()


def rename(page: Page, name: str) -> None:
    choose(page, "Rename")
    page.locator("#new-name").fill(name)
    page.keyboard.press("Enter")


def test_of_a_batch_that_goes_on(desk: Desk, pool: PlainPool) -> None:
    one, other = both(desk, pool.submit(3))
    rename(one, "plums")
    expect(other.locator("h1")).to_have_text("plums")
    one.get_by_role("button", name="Pause").click()
    expect(other.locator("#state")).to_have_text("Paused")
    one.get_by_label("Threshold", exact=True).press("PageUp")
    one.get_by_role("button", name="Save for everybody").click()
    expect(one.locator("#saveline")).to_be_hidden()
    told = str(one.locator("#reading output").first.text_content())
    expect(other.locator("#reading output").first).to_have_text(told)
    # What somebody is trying here stays, and the page says that there is something else.
    other.get_by_label("Threshold", exact=True).press("End")
    one.get_by_label("Threshold", exact=True).press("Home")
    one.get_by_role("button", name="Save for everybody").click()
    expect(other.locator("#save-note")).to_contain_text("Somebody else")
    expect(other.locator("#reading output").first).to_have_text("0.95")


def test_of_a_batch_that_ended(desk: Desk, pool: PlainPool) -> None:
    batch = pool.submit(3)
    pool.drain()
    with pool.database.write() as session:
        ended = update(BatchRow).where(BatchRow.id == batch).values(finished_at=LONG_AGO_MS)
        session.execute(ended)
    one, other = both(desk, batch)
    listed = desk.open("/batches").locator("#rows tr", has_text="pears")
    rename(one, "pears")
    expect(other.locator("h1")).to_have_text("pears")
    expect(listed).to_be_visible()
    choose(one, "Delete")
    one.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(other.get_by_role("alert").first).to_contain_text("There is no such thing")
    expect(listed).to_have_count(0)

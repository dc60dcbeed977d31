"""One's account: password, the browsers that are logged in, tokens."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect
from services.studio import Desk

from maskpool.settings import Settings
from producer.accounts import users
from producer.accounts.audit import Actor
from producer.pool import Pool

OLD, NEW = "correct horse battery", "staple battery horse"


@pytest.fixture
def page(desk: Desk) -> Iterator[Page]:
    """The page of somebody who is new."""
    name = f"zoe{desk.new_number()}"
    pool = Pool(Settings(home=desk.site.home, owner="ann"), desk.site.database)
    users.create(pool, Actor(None, "root"), name, password=OLD, admin=True)
    return desk.open("/account", name)


def change(page: Page, old: str, new: str, again: str) -> None:
    page.get_by_label("Present password").fill(old)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password once more").fill(again)
    page.get_by_role("button", name="Change password").click()


def test_a_password_is_changed_and_what_is_wrong_is_said(page: Page, desk: Desk) -> None:
    note = page.locator("#password-note")
    change(page, OLD, NEW, f"{NEW}!")
    expect(note).to_have_text("The new password is not the same in both fields.")
    change(page, "wrong", NEW, NEW)
    expect(note).to_contain_text("This is not your present password.")
    # Who came by a link has none, and could else never set one.
    expect(note).to_contain_text("maskpool user reset")
    change(page, OLD, "short", "short")
    expect(note).to_contain_text("The new password needs 12 to 256 characters.")
    change(page, OLD, NEW, NEW)
    expect(note).to_contain_text("Your password is changed.")
    assert page.get_by_label("Present password").input_value() == ""


def test_another_browser_is_logged_out_after_a_second_press(page: Page, desk: Desk) -> None:
    said = page.locator(".account__name").first
    expect(said).not_to_be_empty()
    name = said.inner_text()
    other = desk.open("/account", name)
    expect(other.get_by_text("This browser")).to_be_visible()
    page.reload()
    rows = page.locator("#sessions tr")
    expect(rows).to_have_count(2)
    end = page.get_by_role("button", name="Log out: Chrome on Linux")
    end.click()
    sure = page.get_by_role("button", name="Log this browser out?: Chrome on Linux")
    sure.blur()
    expect(end).to_be_visible()
    end.click()
    sure.click()
    expect(rows).to_have_count(1)
    other.reload()
    expect(other).to_have_url(f"{desk.site.url}/login?next=%2Faccount")


def test_a_token_is_shown_once_works_and_is_revoked(page: Page, desk: Desk) -> None:
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-note")).to_contain_text("Give the token a name")
    page.get_by_label("Name", exact=True).fill("nightly <b>upload</b>")
    page.get_by_label("Ends after").select_option("7 days")
    page.get_by_label("See workers and the queue").check()
    page.get_by_role("button", name="Make a token").click()
    field = page.get_by_label("This is the token.")
    expect(field).to_be_focused()
    token = field.input_value()
    assert pool_with(desk, token) == 200
    expect(page.locator("#tokens tr")).to_contain_text("nightly <b>upload</b>")
    page.reload()
    expect(page.locator("#tokens tr")).to_contain_text(token[:10])
    expect(page.get_by_label("This is the token.")).to_have_count(0)
    page.get_by_role("button", name="Revoke: nightly").click()
    page.get_by_role("button", name="Revoke for ever?").click()
    expect(page.locator("#tokens tr")).to_contain_text("Revoked")
    assert pool_with(desk, token) == 401


def test_a_form_that_is_sent_twice_counts_once(page: Page) -> None:
    """The second press comes before the first is answered: of two tokens one text was lost."""
    twice = "(form) => { form.requestSubmit(); form.requestSubmit(); }"
    expect(page.get_by_label("See workers and the queue")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("nightly")
    page.locator("#token-form").evaluate(twice)
    expect(page.get_by_label("This is the token.")).to_be_focused()
    page.get_by_label("Present password").fill(OLD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password once more").fill(NEW)
    page.locator("#password-form").evaluate(twice)
    expect(page.locator("#password-note")).to_contain_text("Your password is changed.")
    page.reload()
    expect(page.locator("#tokens tr")).to_have_count(1)


def pool_with(desk: Desk, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{desk.site.url}/api/v1/pool", headers=headers).status_code


def test_language_and_theme_are_chosen(page: Page) -> None:
    page.get_by_role("radio", name="Dark").check(force=True)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    page.get_by_role("button", name="Theme: dark").click()
    expect(page.get_by_role("radio", name="As the system")).to_be_checked()
    page.get_by_role("radio", name="中文").check(force=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("账户")
    expect(page.get_by_role("radio", name="中文")).to_be_checked()

"""Logging in: by password, by the link of a stack, and what is said where it fails."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from services.studio import Desk, Site

from maskpool.settings import Settings
from producer.accounts import local_link, users
from producer.accounts.audit import Actor
from producer.pool import Pool

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def pool(site: Site) -> Pool:
    """The site's, with somebody who has a password."""
    made = Pool(Settings(home=site.home, owner="ann"), site.database)
    users.create(made, Actor(None, "root"), "zoe", password=PASSWORD)
    return made


def log_in(page: Page, password: str = PASSWORD, go: str = "Log in") -> None:
    page.get_by_label("Name", exact=True).fill("zoe")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name=go).click()


def test_a_page_leads_to_the_login_and_back(desk: Desk, pool: Pool) -> None:
    page = desk.open("/account?x=1#h-tokens", None)
    expect(page).to_have_url(f"{desk.site.url}/login?next=%2Faccount%3Fx%3D1%23h-tokens")
    log_in(page)
    expect(page).to_have_url(f"{desk.site.url}/account?x=1#h-tokens")
    expect(page.locator("#account")).to_contain_text("zoe")


def test_a_wrong_password_is_said_where_it_is_written(desk: Desk, pool: Pool) -> None:
    page = desk.open("/login", None)
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Write your name and your password.")
    log_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{desk.site.url}/try")


@pytest.mark.parametrize(
    "next_page", ["//elsewhere.test/", "https://elsewhere.test/", "/login", "%5C%5Celsewhere.test"]
)
def test_nobody_is_led_elsewhere(desk: Desk, pool: Pool, next_page: str) -> None:
    page = desk.person(None).new_page()
    page.goto(f"{desk.site.url}/login?next={next_page}")
    log_in(page)
    expect(page).to_have_url(f"{desk.site.url}/try")


def test_a_link_logs_in_once_and_says_why_it_does_not_again(desk: Desk, pool: Pool) -> None:
    link = local_link.make_link(pool.settings, pool.database, desk.site.url)
    page = desk.person(None).new_page()
    page.goto(link)
    expect(page).to_have_url(f"{desk.site.url}/try")
    page.goto(link)
    expect(page).to_have_url(f"{desk.site.url}/login?why=link")
    expect(page.get_by_role("alert")).to_contain_text("maskpool user link")


def test_too_many_tries_say_when_to_come_back(desk: Desk, pool: Pool) -> None:
    page = desk.open("/login", None, language="zh")
    for _ in range(12):
        page.locator("#name").fill("nobody")
        page.locator("#password").fill("x")
        with page.expect_response("**/api/v1/session"):
            page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert")).to_contain_text("秒后再试")


def test_an_error_of_the_network_is_said(desk: Desk, pool: Pool) -> None:
    page = desk.open("/login", None)
    desk.expected.append("ERR_INTERNET_DISCONNECTED")
    page.context.set_offline(True)
    log_in(page)
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{desk.site.url}/try")

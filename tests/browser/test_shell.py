"""What all pages share: places, language, theme, keys, menus and the lines below the header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from services.studio import PHONE, Desk, Site, running_site

from db import workers
from db.workers import WorkerInfo

OFFLINE = "ERR_INTERNET_DISCONNECTED"


def focused(page: Page) -> str:
    """The name of what has focus, as a screen reader would tell it."""
    told: str = page.evaluate(
        "document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()"
    )
    return told


def test_the_first_page_is_try_and_the_places_lead_around(desk: Desk) -> None:
    page = desk.open("/")
    expect(page).to_have_url(f"{desk.site.url}/try")
    for name in ("Batches", "Pool", "Try"):
        page.get_by_role("navigation", name="Places").get_by_role("link", name=name).click()
        here = page.get_by_role("link", name=name, exact=True)
        expect(here).to_have_attribute("aria-current", "page")
        expect(page).to_have_title(f"{name} · maskpool")


def test_the_language_is_switched_and_stays(desk: Desk) -> None:
    page = desk.open("/pool")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("资源池")
    page.get_by_role("link", name="批次", exact=True).click()
    expect(page).to_have_title("批次 · maskpool")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")


def test_the_theme_is_switched_and_there_before_the_page_is_drawn(desk: Desk) -> None:
    page = desk.open("/pool", theme="light")
    surface = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(surface)
    for name, attribute in (("light", "light"), ("dark", "dark")):
        page.locator("[data-do=theme]").first.click()
        expect(page.locator("html")).to_have_attribute("data-theme", attribute)
        expect(page.get_by_role("button", name=f"Theme: {name}")).to_be_visible()
    assert page.evaluate(surface) != light
    page.reload(wait_until="commit")
    assert 'data-theme="dark"' in page.content()
    page.get_by_role("button", name="Theme: dark").click()
    expect(page.get_by_role("button", name="Theme: as the system")).to_be_visible()
    page.reload()
    assert page.evaluate(surface) == light


def test_tab_goes_from_the_bar_to_the_content(desk: Desk) -> None:
    page = desk.open("/pool")
    expect(page.locator("#account")).to_contain_text("ann")
    order = []
    for _ in range(10):
        page.keyboard.press("Tab")
        order.append(focused(page))
    assert order == [
        *("Skip to content", "maskpool", "Try", "Batches", "Glossary", "Pool", "中文"),
        *("Theme: as the system", "Keys", "Account: ann"),
    ]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Account"
    page.keyboard.press("Escape")
    assert focused(page) == "Account: ann"
    expect(page.get_by_role("link", name="Account", exact=True)).to_be_hidden()


def test_the_keys_are_listed_and_rest_in_a_field(desk: Desk) -> None:
    page = desk.open("/account")
    page.get_by_label("Present password").press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_label("Present password").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Everywhere")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_phone_finds_everything_in_the_menu(desk: Desk) -> None:
    page = desk.open("/pool", window=PHONE)
    page.get_by_label("Menu").tap()
    menu = page.locator("#menu")
    expect(menu.get_by_role("link", name="Batches")).to_be_visible()
    menu.get_by_role("button", name="中文").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("资源池")
    page.get_by_label("菜单").tap()
    page.locator("#menu").get_by_role("link", name="批次").tap()
    expect(page).to_have_url(f"{desk.site.url}/batches")


def test_who_logs_out_is_out_everywhere(desk: Desk) -> None:
    page = desk.open("/pool")
    page.get_by_label("Account: ann").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{desk.site.url}/login")
    page.goto(f"{desk.site.url}/pool")
    expect(page).to_have_url(f"{desk.site.url}/login?next=%2Fpool")


def test_who_could_not_be_logged_out_is_told(desk: Desk) -> None:
    page = desk.open("/pool")
    desk.expected.append(OFFLINE)
    page.context.set_offline(True)
    page.get_by_label("Account: ann").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("[data-line=stays]")).to_contain_text("You are still logged in.")
    expect(page).to_have_url(f"{desk.site.url}/pool")
    page.context.set_offline(False)
    page.get_by_label("Account: ann").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{desk.site.url}/login")


def test_a_lost_server_is_said_and_found_again(desk: Desk) -> None:
    page = desk.open("/pool")
    expect(page.locator("#no-workers")).to_be_visible()
    desk.expected.append(OFFLINE)
    page.context.set_offline(True)
    line = page.get_by_text("The server cannot be reached.")
    expect(line).to_be_visible()
    page.context.set_offline(False)
    expect(line).to_be_hidden(timeout=10_000)


@pytest.mark.parametrize("place", ["try", "batches", "batches/new", "pool", "glossary", "account"])
def test_a_page_that_never_knew_whose_it_is_begins_anew(desk: Desk, place: str) -> None:
    desk.expected.append("net::ERR_FAILED")
    context = desk.person("ann")
    context.route("**/api/v1/session", lambda one: one.abort(), times=1)
    page = context.new_page()
    page.goto(f"{desk.site.url}/{place}")
    expect(page.get_by_label("Account: ann")).to_be_visible()


def announce(site: Site, model: str) -> UUID:
    worker = uuid4()
    with site.database.write() as session:
        workers.announce(session, WorkerInfo(worker, "gpu-1:1", "cuda:0", model, 3, 12.0))
    return worker


def test_lines_say_that_nobody_works_and_that_the_model_is_the_demo(desk: Desk) -> None:
    page = desk.open("/batches")
    expect(page.get_by_text("Neither a dispatcher nor a worker is running.")).to_be_visible()
    announce(desk.site, "demo")
    page.reload()
    expect(page.get_by_text("No dispatcher is running.")).to_be_visible()
    demo = page.get_by_text("This pool runs the demo model.")
    expect(demo).to_be_visible()
    # Another look at the pool leaves the line alone, or it would be read out again.
    line = page.locator("[data-line=demo]")
    line.evaluate("(one) => { one.dataset.same = 'yes'; }")
    with page.expect_response("**/api/v1/pool"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    expect(line).to_have_attribute("data-same", "yes")
    page.get_by_role("button", name="Close").click()
    expect(demo).to_be_hidden()
    page.reload()
    expect(page.get_by_text("No dispatcher is running.")).to_be_visible()
    expect(demo).to_be_hidden()


def test_a_page_that_is_not_there_leads_to_one_that_is(desk: Desk) -> None:
    desk.expected.append("404 of ")
    page = desk.open("/no/such/page")
    page.get_by_role("link", name="Go to the first page").click()
    expect(page).to_have_url(f"{desk.site.url}/try")


@pytest.fixture
def deep_desk(browser: Browser, _sqlite_template: Path, tmp_path: Path) -> Iterator[Desk]:
    """Of a site that has a path before all its addresses."""
    with running_site(tmp_path, _sqlite_template, prefix="/deep/pool") as site:
        desk = Desk(browser, site)
        yield desk
        desk.close()


def test_pages_work_behind_a_prefix(deep_desk: Desk) -> None:
    page = deep_desk.open("/")
    expect(page).to_have_url(f"{deep_desk.site.url}/try")
    page.get_by_role("link", name="Pool", exact=True).click()
    expect(page.locator("#no-workers")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("资源池")
    page.get_by_label("账户：ann").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page).to_have_url(f"{deep_desk.site.url}/login")


def test_a_page_and_its_files_say_what_a_browser_may_do(desk: Desk) -> None:
    request = desk.person().request
    page = request.get(f"{desk.site.url}/pool")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "private, no-cache"
    packed, plain = (
        httpx.get(page.url, headers={"accept-encoding": encoding}) for encoding in ("gzip", "br")
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["vary"]
    assert packed.content == plain.content
    address = page.text().split('rel="stylesheet" href="')[1].split('"')[0]
    sheet = request.get(f"{desk.site.url}{address}")
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    old = request.get(f"{desk.site.url}/static/of-another-version/studio.css")
    assert (old.status, old.headers["cache-control"]) == (200, "no-store")
    desk.expected.append("404 of ")
    for path in ("/static/x/../app.py", "/static/x/%2e%2e/pages.py", "/static/x/none.js"):
        assert request.get(f"{desk.site.url}{path}").status == 404

"""Flower as people see it: its page in a browser, with the pool's real tasks in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from containers.profile import Profile

pytestmark = pytest.mark.timeout(600)

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@pytest.fixture(scope="module")
def team(profile: Profile) -> Profile:
    """A pool that has done some tasks while Flower looked on."""
    profile.start()
    profile.cli("submit /images -p 'red circle' --name seen-by-flower")
    profile.cli("status --watch seen-by-flower")
    return profile


@pytest.fixture
def page(team: Profile) -> Iterator[Page]:
    """A page that is logged in with the user and password of ``.env``."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    credentials = {
        "username": team.setting("FLOWER_USER"),
        "password": team.setting("FLOWER_PASSWORD"),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{team.flower_port}", http_credentials=credentials
        )
        yield context.new_page()
        browser.close()


def test_the_page_asks_for_a_password(team: Profile) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"http://127.0.0.1:{team.flower_port}/", timeout=10)
    refused.value.close()
    assert refused.value.code == 401


def test_the_tasks_are_there_with_names_arguments_and_worker(page: Page) -> None:
    page.goto("/tasks")
    row = page.locator("#tasks-table tbody tr", has_text="SUCCESS").first
    expect(row).to_contain_text("annotate", timeout=15_000)
    expect(row).to_contain_text("demo-")
    row.locator("a[href^='/task/']").click()
    expect(page.locator("body")).to_contain_text("chunk=")
    expect(page.locator("body")).to_contain_text("batch=")


def test_the_worker_is_there_and_online(page: Page) -> None:
    page.goto("/workers")
    expect(page.locator("body")).to_contain_text("demo-", timeout=15_000)
    expect(page.locator("body")).to_contain_text(re.compile("online", re.IGNORECASE))

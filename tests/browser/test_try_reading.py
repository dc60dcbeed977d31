"""What counts in Try: what somebody chose stays, however late the pool says what is usual."""

from __future__ import annotations

from playwright.sync_api import Route, expect
from services.studio import Desk


def test_what_is_chosen_before_the_models_are_known_stays(desk: Desk) -> None:
    held: list[Route] = []
    context = desk.person("ann")
    context.route("**/api/v1/models", lambda one: held.append(one))  # noqa: PLW0108
    page = context.new_page()
    with page.expect_request("**/api/v1/models"):
        page.goto(f"{desk.site.url}/try")
    page.locator("#exclusive").check()
    page.locator("#against").fill("0.2")
    [asked] = held
    models = asked.fetch().json()
    own = next(one for one in models if one["default"])
    own["reading"].update(threshold=0.61, max_against=0.4, exclusive=False)
    asked.fulfill(json=models)
    expect(page.locator("#threshold-out")).to_have_text("0.61")
    expect(page.locator("#exclusive")).to_be_checked()
    expect(page.locator("#against-out")).to_have_text("0.20")

"""A manifest that somebody drops alone is what the batch is made of."""

from __future__ import annotations

import re

from playwright.sync_api import Request, expect
from services.dropping import drop
from services.studio import Desk


def test_a_manifest_that_comes_alone_names_the_pictures(desk: Desk) -> None:
    page = desk.open("/batches/new")
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))  # noqa: PLW0108
    drop(page, {"list.jsonl": b'"1.jpg"\n', "1.jpg": b"x"})
    expect(page.locator("#passed-count")).to_have_text(re.compile("1 file"))
    expect(page.locator("#manifest")).to_be_hidden()
    drop(page, {"list.jsonl": b'"1.jpg"\n'})
    expect(page.locator("#manifest-name")).to_contain_text("list.jsonl is a manifest")
    page.get_by_label("Add a prompt").fill("circle")
    page.get_by_label("Add a prompt").press("Enter")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#start-note")).to_be_visible()
    [made] = [one for one in asked if (one.method, one.url[-15:]) == ("POST", "/api/v1/batches")]
    assert made.post_data_json["source"]["manifest"]["file"] == "list.jsonl"

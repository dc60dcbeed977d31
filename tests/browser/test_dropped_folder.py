"""A folder that somebody drops: what of it cannot be read is said, until it can be."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from services.dropping import drop_folder
from services.studio import Desk

_SAID = {
    "en": ("3 files passed over", "2could not be read here; drop them again"),
    "zh": ("跳过 3 个文件", "2在本机无法读取，请重新拖入"),
}


@pytest.mark.parametrize("language", _SAID)
def test_what_cannot_be_read_is_said(desk: Desk, language: str) -> None:
    page = desk.open("/batches/new", language=language)
    count, unread = _SAID[language]
    tree = {"a.jpg": "x", "b.jpg": None, "deep/": None, ".git/": None}
    drop_folder(page, "album", tree)
    expect(page.locator("#passed-count")).to_have_text(count)
    expect(page.locator("#passed-kinds li")).to_have_count(2)
    expect(page.locator("#passed-kinds")).to_be_visible()
    expect(page.locator("#passed-kinds li").first).to_have_text(unread)
    drop_folder(page, "album", {"b.jpg": "y", "deep/": {"c.jpg": "z"}})
    expect(page.locator("#file-groups")).to_contain_text("album/")
    expect(page.locator("#passed-kinds")).not_to_contain_text(unread[1:])
    expect(page.locator("#passed-kinds li")).to_have_count(1)

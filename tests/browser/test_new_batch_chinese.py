"""What is typed in Chinese in the form of a new batch, with what is sent for it below."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect
from services.studio import PHONE, Desk

from maskpool.glossary import Kind, Word
from maskpool.settings import Settings
from producer import glossary
from producer.accounts import teams, users
from producer.accounts.audit import Actor
from producer.accounts.rights import Role
from producer.pool import Pool

ROOT = Actor(None, "root")
SCENE = Path(__file__).resolve().parents[2] / "samples" / "scenes" / "scene_02.jpg"

SAID = {
    "en": {
        "sent": "Sent as",
        "change": "Change what is sent for 红色汽车",
        "unknown": "is not in the glossary",
    },
    "zh": {
        "sent": "发送为",
        "change": "更改“红色汽车”发送的内容",
        "unknown": "词汇表中没有",
    },
}


@pytest.mark.parametrize(("language", "window"), [("en", (1440, 900)), ("zh", PHONE)])
def test_chinese_stays_as_typed_with_what_is_sent_below(
    desk: Desk, language: str, window: tuple[int, int]
) -> None:
    words, number = SAID[language], desk.new_number()
    pool = Pool(Settings(home=desk.site.home, owner="ann"), desk.site.database)
    name, names = f"mei{number}", (f"first{number}", f"second{number}")
    users.create(pool, ROOT, name, password="correct horse battery", admin=False)
    for team in names:
        teams.create(pool, ROOT, team)
        teams.put_member(pool, ROOT, teams.find(pool, team), name, Role.ANNOTATOR)
    second = teams.find(pool, names[1])
    glossary.put(pool, ROOT, second, [Word("汽车", Kind.NOUN, "automobile")])
    page = desk.open("/batches/new", name, language=language, window=window)
    add, prompts = page.locator("#add-prompt"), page.locator("#prompt-list .prompt")
    for typed in ("红色汽车, not 卡车", "漂亮的汽车", "bus"):
        add.fill(typed)
        add.press("Enter")
    expect(prompts).to_have_count(3)
    first, refused, plain = prompts.nth(0), prompts.nth(1), prompts.nth(2)
    expect(first.locator(".prompt__row b")).to_have_text("红色汽车")
    expect(first.locator(".sent-as")).to_contain_text(words["sent"])
    expect(first.locator(".sent-as code")).to_have_text("red car")
    chip = first.locator(".chip--not")
    expect(chip).to_contain_text("卡车")
    expect(chip.locator("code")).to_have_text("truck")
    expect(refused.locator(".sent-as")).to_contain_text(words["unknown"])
    expect(plain.locator(".sent-as")).to_have_count(0)
    # Another team has other words.
    page.locator("#team").select_option(str(second.id))
    expect(first.locator(".sent-as code")).to_have_text("red automobile")
    field = refused.locator("[data-sent]")
    field.fill("<b>pretty</b> car")
    field.press("Enter")
    expect(refused.locator(".sent-as code")).to_have_text("<b>pretty</b> car")
    page.get_by_role("button", name=words["change"]).click()
    expect(first.locator("[data-sent]")).to_be_focused()
    first.locator("[data-sent]").fill("crimson car")
    first.locator("[data-sent]").press("Enter")
    expect(first.locator(".sent-as code")).to_have_text("crimson car")
    assert page.evaluate("document.documentElement.scrollWidth") <= window[0]
    page.reload()
    expect(first.locator(".sent-as code")).to_have_text("crimson car")
    expect(chip.locator("code")).to_have_text("truck")
    page.set_input_files("#files", SCENE)
    with page.expect_request(
        lambda one: one.method == "POST" and one.url.endswith("/batches")
    ) as made:
        page.locator("#start").click()
    sent = json.loads(made.value.post_data or "")
    assert sent["team"] == str(second.id)
    assert sent["spec"]["prompts"] == [
        {"text": "crimson car", "name": "红色汽车", "not": ["卡车"]},
        {"text": "<b>pretty</b> car", "name": "漂亮的汽车"},
        {"text": "bus"},
    ]

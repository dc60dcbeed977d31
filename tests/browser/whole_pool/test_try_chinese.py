"""Prompts in Chinese: what is sent is shown and can be changed, the name stays as it was typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect
from services.studio import PHONE, Desk
from services.try_page import Bench, settled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: By language: sent as; its change; why a phrase is refused; its English; and the "not" of a chip.
_WORDS = {
    "en": (
        "Sent as",
        "Change what is sent for 红色圆形",
        "“戴帽子的人” is not sent: “戴帽子” is more than",
        "English for “戴帽子的人”",
        "Say what 红色圆形 is not",
    ),
    "zh": (
        "发送为",
        "更改“红色圆形”发送的内容",
        "“戴帽子的人”未发送：“戴帽子”超出了",
        "“戴帽子的人”的英文",
        "说明“红色圆形”不是什么",
    ),
}


@pytest.mark.parametrize("language", _WORDS)
def test_what_is_sent_is_shown_and_changed(desk: Desk, language: str) -> None:
    sent_as, change, refused, english, say_not = _WORDS[language]
    bench = Bench(desk, language=language)
    page = bench.page
    bench.bring()
    add = page.locator("#add")
    add.fill("红色圆形")
    add.press("Enter")
    chip = page.locator("#prompts > li").first
    expect(chip.locator(".prompt__sent")).to_have_text(f"{sent_as}red circle")
    expect(add).to_have_value("")
    settled(lambda: any("红色圆形" in row for row in bench.rows()))
    # What is sent is changed, and asked again under the same name.
    with page.expect_request("**/api/v1/predict?*") as request:
        chip.get_by_role("button", name=change).click()
        page.locator("#prompts [data-sent]").fill("yellow star")
        page.keyboard.press("Enter")
    [asked] = json.loads(request.value.post_data or "{}")["prompts"]
    assert asked == {"text": "yellow star", "name": "红色圆形"}
    expect(chip.locator("code")).to_have_text("yellow star")
    # A negative is sent in English as well, and shown as it was typed.
    with page.expect_request("**/api/v1/predict?*") as request:
        chip.get_by_role("button", name=say_not).click()
        page.locator("#add-not").fill("三角形")
        page.keyboard.press("Enter")
    [asked] = json.loads(request.value.post_data or "{}")["prompts"]
    assert asked["not"] == ["triangle"]
    expect(chip.locator(".chip--not")).to_contain_text("三角形")
    # What is refused says why, and its English is asked for.
    add.fill("戴帽子的人")
    add.press("Enter")
    expect(page.locator("#add-fault")).to_contain_text(refused)
    expect(add).to_have_value("戴帽子的人")
    page.get_by_label(english).fill("circle")
    page.get_by_label(english).press("Enter")
    expect(page.locator("#prompts > li")).to_have_count(2)
    expect(page.locator("#add-english")).to_be_hidden()
    expect(add).to_have_value("")
    expect(page.locator("#prompts > li").last.locator("code")).to_have_text("circle")


def test_the_name_as_typed_goes_everywhere(desk: Desk, tmp_path: Path) -> None:
    bench = Bench(desk, language="zh", window=(1440, 900))
    page = bench.page
    bench.bring()
    page.locator("#add").fill("红色圆形, not 三角形")
    page.keyboard.press("Enter")
    settled(lambda: any("红色圆形" in row for row in bench.rows()))
    bench.downloads("COCO JSON").save_as(tmp_path / "coco.json")
    saved = json.loads((tmp_path / "coco.json").read_text())
    assert [one["name"] for one in saved["categories"]] == ["红色圆形"]
    assert saved["annotations"]
    page.reload()
    expect(page.locator(".prompt__sent code")).to_have_text("red circle")
    expect(page.locator(".chip--not")).to_contain_text("三角形")
    page.get_by_role("button", name="代码", exact=True).click()
    page.get_by_role("dialog").get_by_label("CLI").check()
    code = page.locator(".code")
    expect(code).to_contain_text("-p '红色圆形=red circle, not triangle'")
    page.keyboard.press("Escape")
    page.locator("[data-act=batch]").click()
    page.wait_for_url("**/batches/new")
    expect(page.locator(".prompt b").first).to_have_text("红色圆形")
    expect(page.locator(".prompt code").first).to_have_text("red circle")


def test_a_lost_server_leaves_what_was_typed(desk: Desk) -> None:
    desk.expected += ["ERR_INTERNET_DISCONNECTED"]
    bench = Bench(desk, window=PHONE)
    page = bench.page
    bench.bring()
    page.context.set_offline(True)
    page.locator("#add").fill("红色圆形")
    page.keyboard.press("Enter")
    expect(page.locator("#add-fault")).to_contain_text("cannot be reached")
    expect(page.locator("#add")).to_have_value("红色圆形")
    expect(page.locator("#prompts > li")).to_have_count(0)
    page.context.set_offline(False)
    page.locator("#add").press("Enter")
    expect(page.locator(".prompt__sent code")).to_have_text("red circle")
    small = page.locator(".prompt__sent .btn").bounding_box()
    assert small is not None
    assert min(small["width"], small["height"]) >= 44

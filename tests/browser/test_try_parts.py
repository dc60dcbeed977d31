"""What Try loads only when somebody wants it: it opens, loses no key, and says when it cannot."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect
from services.studio import Desk
from services.try_page import SCENE, answer

#: A window's button, and something in it, in each language.
WINDOWS = {
    "en": {
        "As code": "Make a token under Account",
        "Presets": "Name of the present prompts",
        "From a batch": "There is no batch yet.",
        "Keys": "Point: part of the object",
    },
    "zh": {
        "代码": "在“账户”中创建令牌",
        "预设": "当前提示词和设置的名称",
        "从批次中选": "还没有批次。",
        "快捷键": "点：属于物体",
    },
}


@pytest.mark.parametrize("language", WINDOWS)
def test_a_window_is_loaded_with_its_words(desk: Desk, language: str) -> None:
    page = desk.open("/try", language=language)
    loaded: list[str] = []
    page.on("request", lambda one: loaded.append(one.url.rpartition("/")[2]))
    for button, words in WINDOWS[language].items():
        page.get_by_role("button", name=button, exact=True).last.click()
        dialog = page.get_by_role("dialog", name=button)
        expect(dialog).to_contain_text(words)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    parts = {"try-code.js", "try-presets.js", "try-from-batch.js", "key-list.js"}
    assert parts <= set(loaded), "these came with the page, or did not come"


def test_keys_go_to_a_window_that_is_still_being_loaded(desk: Desk) -> None:
    page = desk.open("/try")
    page.set_input_files("#file", SCENE)
    expect(page.locator("mask-canvas")).to_be_visible()
    held: list[Route] = []
    page.route("**/try-presets.js", lambda one: held.append(one))  # noqa: PLW0108
    page.get_by_role("button", name="Presets").click()
    expect(page.get_by_role("dialog")).to_contain_text("Loading")
    # A letter of a name must not take up another tool behind the window.
    page.keyboard.press("n")
    expect(page.locator("mask-canvas")).to_have_attribute("data-tool", "select")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    held[0].continue_()
    page.wait_for_timeout(300)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Presets").click()
    expect(page.get_by_label("Name of the present")).to_be_visible()


def test_what_cannot_be_loaded_is_said_and_loaded_later(desk: Desk) -> None:
    desk.expected += ["ERR_INTERNET_DISCONNECTED"]
    page = desk.open("/try")
    answer(page, [{"category": "circle", "prompt": 0, "score": 0.9}], [])
    page.set_input_files("#file", SCENE)
    page.get_by_label("Add a prompt").fill("circle")
    page.keyboard.press("Enter")
    expect(page.locator("#masks-count")).to_have_text("1")
    page.context.set_offline(True)
    said = "This part of the page could not be loaded."
    page.get_by_role("button", name="As code").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(said)
    page.keyboard.press("Escape")
    page.locator("#download-menu > summary").click()
    page.get_by_role("button", name="COCO JSON").click()
    expect(page.locator("#strip")).to_contain_text(said)
    page.get_by_role("button", name="As code").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(said)
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog")).to_contain_text("Make a token under Account")


def test_suggestions_that_stay_are_not_made_again_with_each_picture(desk: Desk) -> None:
    page = desk.open("/try")
    scenes = [SCENE.parent.parent / name for name in ("scene_02.jpg", "scene_04.jpg")]
    page.set_input_files("#file", scenes)
    expect(page.locator("#picture-name")).to_contain_text("scene_02.jpg")
    first = page.locator("#known-prompts button").first.element_handle()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#picture-name")).to_contain_text("scene_04.jpg")
    assert first.evaluate("(one) => one.isConnected")

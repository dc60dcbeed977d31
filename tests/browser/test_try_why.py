"""Why a prompt found nothing, and what spoke against a mask: as told, and as sliders change it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from services.studio import PHONE, Desk
from services.try_page import SCENE, answer

_PROMPTS = ("ghost", "faint", "circle, not ring", "truck", "car")

_FOUND: list[dict[str, Any]] = [
    {"category": "faint", "prompt": 1, "score": 0.431},
    {"category": "circle", "prompt": 2, "score": 0.9, "against": 0.911, "against_text": "ring"},
    {"category": "truck", "prompt": 3, "score": 0.95},
    {"category": "car", "prompt": 4, "score": 0.8, "contended": 0.97, "contender": 2},
]

_SCORES = [
    {"category": name.partition(",")[0], "presence": presence, "best": best}
    for name, presence, best in zip(
        _PROMPTS, (0.02, 0.6, 0.9, 0.9, 0.9), (0.011, 0.431, 0.9, 0.95, 0.8), strict=True
    )
]

#: What stands beside each prompt, by language.
_SAID = {
    "en": {
        "ghost": "Nothing: presence 0.02, best 0.01.",
        "faint": "best 0.43 under 0.50",
        "circle": "dropped: against “ring” 0.91",
        "car": "yielded to “truck”",
    },
    "zh": {
        "ghost": "没有：存在可能 0.02，最高 0.01。",
        "faint": "最高 0.43，低于 0.50",
        "circle": "更像“ring”（0.91），已舍弃",
        "car": "已让给“truck”",
    },
}


def asked(
    desk: Desk, found: list[dict[str, Any]], scores: list[dict[str, Any]], **options: Any
) -> Page:
    """Try with prompts that were answered."""
    page = desk.open("/try", **options)
    answer(page, found, scores)
    page.set_input_files("#file", SCENE)
    for text in _PROMPTS:
        page.locator("#add").fill(text)
        page.keyboard.press("Enter")
    expect(page.locator("#prompts > li")).to_have_count(len(_PROMPTS))
    return page


@pytest.mark.parametrize("language", _SAID)
def test_beside_a_prompt_stands_why_nothing_counts(desk: Desk, language: str) -> None:
    page = asked(desk, _FOUND, _SCORES, language=language)
    page.locator("#exclusive").check()
    for name, words in _SAID[language].items():
        expect(page.locator(f'[data-why="{name}"]')).to_have_text(words)
    expect(page.locator('[data-why="truck"]')).to_be_hidden()
    # A slider acts on what is there, and the reason follows.
    page.locator("#threshold").fill("0.4")
    expect(page.locator('[data-why="faint"]')).to_be_hidden()
    page.locator("#threshold").fill("0.43")
    page.locator("#exclusive").uncheck()
    expect(page.locator('[data-why="car"]')).to_be_hidden()
    page.locator("#against").fill("0.05")
    expect(page.locator('[data-why="circle"]')).to_be_hidden()


@pytest.mark.parametrize("language", _SAID)
@pytest.mark.parametrize("window", [(1440, 900), PHONE])
def test_the_panel_of_a_mask_says_what_spoke_against_it(
    desk: Desk, language: str, window: tuple[int, int]
) -> None:
    page = asked(desk, _FOUND, _SCORES, language=language, window=window)
    page.locator("#exclusive").check()
    page.locator("[data-act=rest]").click()
    for name in ("circle", "car"):
        page.locator("#masks tbody tr").filter(has_text=name).first.click()
        expect(page.locator("#card")).to_contain_text(_SAID[language][name])
        # A phone has no room for all that spoke, but the reason is seen.
        expect(page.locator(".against__out")).to_be_visible()
    # No mask was weighed by CLIP: no figure of it is kept room for.
    expect(page.locator("[data-sort=clip]")).to_be_hidden()


def test_a_negative_in_chinese_is_said_as_it_was_typed(desk: Desk) -> None:
    page = desk.open("/try")
    against = {"against": 0.911, "against_text": "truck"}
    answer(page, [{"category": "汽车", "prompt": 0, "score": 0.9, **against}], [])
    page.set_input_files("#file", SCENE)
    page.locator("#add").fill("汽车, not 卡车")
    page.keyboard.press("Enter")
    expect(page.locator('[data-why="汽车"]')).to_have_text("dropped: against “卡车” 0.91")
    page.locator("[data-act=rest]").click()
    page.locator("#masks tbody tr").filter(has_text="汽车").first.click()
    expect(page.locator("#card .against li")).to_contain_text("卡车")
    expect(page.locator("#card")).not_to_contain_text("truck")


def test_figures_that_look_the_same_are_told_apart(desk: Desk) -> None:
    page = asked(desk, [{"category": "ghost", "prompt": 0, "score": 0.498}], _SCORES)
    expect(page.locator('[data-why="ghost"]')).to_have_text("best 0.498 under 0.500")


def test_an_answer_of_before_scores_were_kept_says_no_more(desk: Desk) -> None:
    page = asked(desk, [], [])
    expect(page.locator('[data-why="ghost"]')).to_have_text("Nothing was found.")
    expect(page.locator("#masks-none")).to_have_text("Nothing was found. Try other words.")


def test_advice_is_given_only_where_it_helps(desk: Desk) -> None:
    page = asked(desk, _FOUND[:1], _SCORES)
    expect(page.locator("#masks-none")).to_have_text("None counts. Lower the threshold.")
    page = asked(desk, _FOUND[1:2], _SCORES)
    expect(page.locator("#masks-none")).to_have_text("None counts. Each prompt says why.")

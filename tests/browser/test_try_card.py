"""The card of a mask lies beside it and within the stage, and the tip below what is pointed at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from services.studio import PHONE, Desk
from services.try_page import SCENE, answer, settled

from maskpool import rle

#: Masks in the scene's pixels: in corners, in the middle, and from side to side. xyxy.
_BOXES = {
    "right": (540, 10, 600, 60),
    "left": (2, 440, 60, 496),
    "middle": (280, 200, 330, 260),
    "wide": (4, 420, 599, 450),
}

#: Pixels between a mask and its card, and between the card and the stage's edge.
_GAP = 12


def _mask(box: tuple[int, int, int, int]) -> dict[str, Any]:
    left, top, right, bottom = box
    mask = np.zeros((498, 603), bool)
    mask[top:bottom, left:right] = True
    return {"size": [498, 603], "counts": rle.encode(mask).counts}


def _asked(desk: Desk, **options: Any) -> Page:
    page = desk.open("/try", **options)
    found = [
        {"category": name, "prompt": at, "score": 0.9, "box_xyxy": box, "segmentation": _mask(box)}
        for at, (name, box) in enumerate(_BOXES.items())
    ]
    answer(page, found, [])
    page.set_input_files("#file", SCENE)
    for name in _BOXES:
        page.locator("#add").fill(name)
        page.keyboard.press("Enter")
    expect(page.locator("#masks-count")).to_have_text(str(len(_BOXES)))
    page.locator("#prompts-title").click()
    return page


def _on_screen(page: Page, name: str) -> tuple[float, float, float, float]:
    """Where a mask is: left, top, right, bottom in pixels of the page."""
    left, top, right, bottom = _BOXES[name]
    stage = _place(page.locator("mask-canvas"))
    told: list[float] = page.locator("mask-canvas").evaluate(
        "(one, [l, t, r, b]) => [...one.view.toScreen(l, t), ...one.view.toScreen(r, b)]",
        [left, top, right, bottom],
    )
    return (told[0] + stage[0], told[1] + stage[1], told[2] + stage[0], told[3] + stage[1])


def _place(element: Locator) -> tuple[float, float, float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def _choose(page: Page, name: str) -> None:
    left, top, right, bottom = _on_screen(page, name)
    page.mouse.click((left + right) / 2, (top + bottom) / 2)
    expect(page.locator("#card h2")).to_contain_text(name)


@pytest.mark.parametrize("height", [900, 520])
def test_a_card_lies_beside_its_mask_and_within_the_stage(desk: Desk, height: int) -> None:
    page = _asked(desk, window=(1440, height))
    stage = _place(page.locator("#stage"))
    for name in _BOXES:
        _choose(page, name)
        card, mask = _place(page.locator("#card")), _on_screen(page, name)
        assert card[0] >= stage[0] + _GAP - 1, name
        assert card[1] >= stage[1] + _GAP - 1, name
        assert card[2] <= stage[2] - _GAP + 1, name
        assert card[3] <= stage[3] - _GAP + 1, name
        assert card[2] - card[0] == 272, "the width that the script counts with"
        aside = card[2] <= mask[0] - _GAP + 1 or card[0] >= mask[2] + _GAP - 1
        assert aside or card[3] <= mask[1] or card[1] >= mask[3], f"it lies on {name}"
        page.keyboard.press("Escape")


def test_a_card_follows_its_mask_when_the_picture_moves(desk: Desk) -> None:
    page = _asked(desk)
    _choose(page, "middle")
    before = _place(page.locator("#card")), _on_screen(page, "middle")
    page.mouse.wheel(0, -200)
    settled(lambda: page.locator("mask-canvas").evaluate("(one) => !one.view.fits"))
    after = _place(page.locator("#card")), _on_screen(page, "middle")
    assert after[1][2] > before[1][2] + 5, "it was not zoomed"
    assert after[0][0] == pytest.approx(after[1][2] + _GAP, abs=1)
    assert (after[0][1] + after[0][3]) / 2 == pytest.approx((after[1][1] + after[1][3]) / 2, abs=1)


def test_a_tip_follows_its_mask_when_the_picture_is_zoomed_by_keys(desk: Desk) -> None:
    page = _asked(desk)
    left, top, right, bottom = _on_screen(page, "middle")
    page.mouse.move((left + right) / 2, (top + bottom) / 2)
    expect(page.locator("#tip")).to_contain_text("middle")
    page.keyboard.press("+")
    page.keyboard.press("+")
    left, _, _, bottom = _on_screen(page, "middle")
    tip = _place(page.locator("#tip"))
    assert tip[0] == pytest.approx(left, abs=1)
    assert tip[1] == pytest.approx(bottom + 8, abs=1)


def test_on_a_phone_the_card_is_a_row_of_the_page(desk: Desk) -> None:
    page = _asked(desk, window=PHONE)
    left, top, right, bottom = _on_screen(page, "middle")
    page.touchscreen.tap((left + right) / 2, (top + bottom) / 2)
    expect(page.locator("#card h2")).to_contain_text("middle")
    card, stage = _place(page.locator("#card")), _place(page.locator("#stage"))
    assert (card[0], card[2]) == (0, 390)
    assert card[1] >= stage[3]


def test_what_an_answer_changes_of_a_selected_mask_reaches_its_card(desk: Desk) -> None:
    page = _asked(desk)
    _choose(page, "middle")
    expect(page.locator("#card .figs")).to_contain_text("0.900")
    box = _BOXES["middle"]
    answer(
        page, [{"category": "middle", "prompt": 0, "score": 0.75, "segmentation": _mask(box)}], []
    )
    page.keyboard.press("p")
    left, top, right, bottom = _on_screen(page, "middle")
    page.mouse.click((left + right) / 2, (top + bottom) / 2)
    expect(page.locator("#card .figs")).to_contain_text("0.750")

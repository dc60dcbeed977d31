"""What Try says of masks that are shown finer: how many are less fine, and what failed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect
from services.studio import Desk
from services.try_page import SCENE, answer

from maskpool import rle

_FOUND: list[dict[str, Any]] = [
    {"category": "circle", "prompt": 0, "score": score} for score in (0.9, 0.8, 0.7, 0.2)
]

_MASK = {"size": [498, 603], "counts": rle.encode(np.eye(498, 603, dtype=np.bool_)).counts}

#: By language: some are less fine, and a request that fails.
_SAID = {
    "en": ("1 of 3 would have changed too much and are less fine.", "Try again"),
    "zh": ("3 个中有 1 个改动过大，未完全细化。", "重试"),
}


def finer(page: Page, asked: list[dict[str, list[str]]], status: list[int]) -> None:
    """Answer for finer masks in the server's stead: the second is always as it is stored."""

    def reply(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        asked.append(query)
        if status:
            problem = {"code": "refused", "detail": "too large", "status": status[0]}
            route.fulfill(status=status.pop(), body=json.dumps(problem))
            return
        usual: dict[str, Any] = {
            "counts": True, "overlap": 0.0, "clip_score": None, "against": None,
            "against_text": None, "contended": None, "contender": None, "object_index": None,
            "area": 9, "box_xyxy": [0, 0, 3, 3], "category": "circle", "prompt": 0, "score": 0.9,
        }  # fmt: skip
        made = [
            {**usual, "ordinal": int(one), "segmentation": _MASK, "refined": level}
            for one in query["only"][0].split(",")
            for level in ["none" if one == "1" else query["refine"][0]]
        ]
        result = {"width": 603, "height": 498, "instances": made, "prompts": [], "refined": None}
        body = {"id": "0.0", "state": "ended", "link": "", "result": result}
        route.fulfill(body=json.dumps(body), content_type="application/json")

    page.route("**/api/v1/predictions/*", reply)


@pytest.mark.parametrize("language", _SAID)
def test_what_is_less_fine_is_counted_and_what_failed_is_asked_again(
    desk: Desk, language: str
) -> None:
    less, again = _SAID[language]
    page = desk.open("/try", language=language)
    answer(page, _FOUND, [])
    asked: list[dict[str, list[str]]] = []
    finer(page, asked, [422])
    page.set_input_files("#file", SCENE)
    page.locator("#add").fill("circle")
    page.keyboard.press("Enter")
    expect(page.locator("#masks-count")).to_have_text("3")
    assert not asked
    hint = page.locator("#refine-hint")
    page.locator("#refine").select_option("medium")
    expect(hint).to_contain_text("too large")
    hint.get_by_role("button", name=again).click()
    expect(hint).to_have_text(less)
    # Only what is seen is asked for; what a slider brings, then.
    assert [one["only"] for one in asked] == [["0,1,2"], ["0,1,2"]]
    page.locator("#threshold").fill("0.1")
    expect(page.locator("#masks-count")).to_have_text("4")
    expect(hint).not_to_have_text(less)
    assert asked[-1]["only"] == ["3"]
    # What is here is not asked for again.
    page.locator("#refine").select_option("none")
    page.locator("#refine").select_option("medium")
    page.wait_for_timeout(300)
    assert len(asked) == 3
    assert {one["scale"][0] for one in asked} == {"view"}

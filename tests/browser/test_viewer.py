"""One image of a batch over the whole window, over rows that no worker made."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from services import plain_pool
from services.plain_pool import PlainPool
from services.studio import Desk, Site
from sqlalchemy import update

from db.models import BatchRow
from maskpool.spec import BatchSpec
from maskpool.tiling.record import Tiled, Why
from storage.objects import open_store


@pytest.fixture(scope="module")
def pool(site: Site) -> PlainPool:
    return PlainPool(site.database, open_store((site.home / "store").as_uri()))


def with_pictures(desk: Desk, language: str = "en") -> Page:
    """A page to which pictures are there, though no batch of here has any."""
    picture = io.BytesIO()
    Image.new("RGB", (plain_pool.SIZE[1], plain_pool.SIZE[0])).save(picture, "PNG")
    page = desk.person(language=language).new_page()
    shown_as = {"body": picture.getvalue(), "content_type": "image/png"}
    for kind in ("view", "thumbnail"):
        page.route(f"**/images/*/{kind}*", lambda route: route.fulfill(**shown_as))
    return page


def test_names_and_negatives_are_shown_as_they_were_typed(
    desk: Desk, pool: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [
        {"text": "car", "name": "汽车"},
        {"text": "truck", "name": "卡车", "not": ["c"], "typed": ["面包车"]},
    ]
    spec = BatchSpec.read({"version": 2, "model": "demo", "prompts": prompts})
    monkeypatch.setattr(plain_pool, "SPEC", spec)
    batch = pool.submit(4)
    pool.drain()
    # All that has a negative is dropped.
    reading = {"threshold": 0.5, "max_against": 0.05}
    with pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(reading=reading))
    page = with_pictures(desk)
    page.goto(f"{desk.site.url}/batches/{batch}")
    page.locator("#tiles a[href]").first.click()
    rows = page.get_by_role("dialog").locator("tbody tr")
    expect(rows.filter(has_text="卡车")).to_contain_text("面包车")
    expect(rows.filter(has_text="汽车").first).to_be_visible()
    expect(page.get_by_role("dialog")).not_to_contain_text("truck")


#: By language: how a picture was looked at, of each reason.
_TILED = {
    "en": (
        "Looked at as a whole and in 20 tiles of 320 pixels, as it is longer than two.",
        (
            "Looked at as a whole and in 1 tile of 512 pixels, as the batch asks. "
            "3 masks beyond what is kept of a prompt are left out."
        ),
        "Looked at as a whole: it is not much larger than a tile of 320 pixels.",
    ),
    "zh": (
        "图片比两个分块还长：已查看整图和 20 个分块（边长 320 像素）。",
        (
            "按批次要求：已查看整图和 1 个分块（边长 512 像素）。 "
            "超出每个提示词保留数量的 3 个掩码已略去。"
        ),
        "只查看了整图：不比一个分块（边长 320 像素）大多少。",
    ),
}


@pytest.mark.parametrize("language", _TILED)
def test_an_open_picture_says_in_how_many_tiles_it_was_looked_at(
    desk: Desk, pool: PlainPool, language: str
) -> None:
    told = [
        Tiled(Why.LARGE, 320, 0.25, 20),
        Tiled(Why.ASKED, 512, 0.25, 1, 3),
        Tiled(Why.SMALL, 320, 0.25, 0),
        None,
    ]
    looked = replace(pool, look=lambda seq: replace(plain_pool.a_result(seq), tiled=told[seq]))
    batch = looked.submit(len(told))
    looked.drain()
    page = with_pictures(desk, language)
    page.goto(f"{desk.site.url}/batches/{batch}")
    page.locator("#tiles a[href]").first.click()
    words = page.get_by_role("dialog").locator("[data-tiles]")
    for sentence in (*_TILED[language], ""):
        expect(words).to_have_text(sentence)
        page.keyboard.press("ArrowRight")

"""By whose words Try sends a prompt in Chinese, and what of that a batch made of it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from playwright.sync_api import expect
from services.studio import Desk
from sqlalchemy import select

from db import accounts, teams
from db import glossary as words
from db.glossary import Entry
from db.models import BatchRow
from maskpool.glossary import Kind, Word

SCENE = Path(__file__).resolve().parents[2] / "samples" / "scenes" / "scene_02.jpg"


def test_a_team_s_words_go_from_try_into_its_batch(desk: Desk) -> None:
    database = desk.site.database
    desk.site.cookie("wei")  # so that there is such a user
    with database.write() as session:
        team = teams.create(session, "yard")
        assert team is not None
        user = accounts.by_name(session, "wei")
        assert user is not None
        teams.put_member(session, team, user.id, "annotator")
        word = Word("汽车", Kind.NOUN, "automobile")
        entry = Entry(team, word.key, "noun", word.word, word.english)
        version = words.next_version(session, team)
        words.write(session, [entry], version=version, user_id=user.id, name="wei")
    page = desk.open("/try", "wei")
    page.set_input_files("#file", SCENE)
    with page.expect_request("**/glossary/compose") as composed:
        page.locator("#add").fill("红色汽车, not 汽车")
        page.keyboard.press("Enter")
    assert json.loads(composed.value.post_data or "")["team"] == str(team)
    expect(page.locator(".prompt__sent code")).to_have_text("red automobile")
    # A "not", and English that somebody typed, leave the version of what is composed.
    page.locator("#add").fill("黑车=black car")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/batches/*-*")
    batch = UUID(page.url.rsplit("/", 1)[-1])
    with database.read() as session:
        spec = session.scalars(select(BatchRow.spec).where(BatchRow.id == batch)).one()
    assert spec["glossary"] == f"1.0.{version}"
    assert spec["prompts"][0] == {
        "text": "red automobile",
        "name": "红色汽车",
        "not": ["automobile"],
    }
    # The prompts of an earlier batch bring it along as well.
    page.goto(f"{desk.site.url}/batches/new")
    page.locator("#earlier").select_option(str(batch))
    expect(page.locator("#prompt-list .prompt")).to_have_count(2)
    page.set_input_files("#files", SCENE)
    with page.expect_request(
        lambda one: one.method == "POST" and one.url.endswith("/batches")
    ) as made:
        page.get_by_role("button", name="Start").click()
    assert json.loads(made.value.post_data or "")["glossary"] == spec["glossary"]


def test_english_alone_names_no_words(desk: Desk) -> None:
    page = desk.open("/try")
    page.set_input_files("#file", SCENE)
    page.locator("#add").fill("汽车")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Change what is sent for 汽车").click()
    page.locator("#prompts [data-sent]").fill("bus")
    page.keyboard.press("Enter")
    expect(page.locator(".prompt__sent code")).to_have_text("bus")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    with page.expect_request(
        lambda one: one.method == "POST" and one.url.endswith("/batches")
    ) as made:
        page.get_by_role("button", name="Start").click()
    assert "glossary" not in json.loads(made.value.post_data or "")

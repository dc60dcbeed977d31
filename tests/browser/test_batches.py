"""The pages of batches, over rows that no worker made: list, form, gallery, what counts, trash."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect
from services.plain_pool import PlainPool
from services.studio import PHONE, Desk, Site
from sqlalchemy import update

from db import accounts, teams
from db.models import BatchRow, JobRow
from maskpool.domain import JobState
from producer.accounts.rights import Role
from storage.objects import open_store

#: More than a window shows, and than one page of the list holds, which is 200.
COUNT = 250

CUT_OFF = "the file is cut off: its end is missing; copy it again"


@pytest.fixture(scope="module")
def pool(site: Site) -> PlainPool:
    return PlainPool(site.database, open_store((site.home / "store").as_uri()))


@pytest.fixture(scope="module")
def large(pool: PlainPool) -> UUID:
    """A batch of many images, of which three failed."""
    batch = pool.submit(COUNT)
    pool.drain()
    failed = {"state": JobState.FAILED, "error": CUT_OFF}
    with pool.database.write() as session:
        session.execute(
            update(JobRow).where(JobRow.batch_id == batch, JobRow.seq < 3).values(failed)
        )
        counted = {"failed": 3, "done": COUNT - 3, "name": "orchard"}
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(counted))
    return batch


@pytest.fixture
def batch(pool: PlainPool) -> UUID:
    made = pool.submit(4)
    pool.drain()
    return made


def named(pool: PlainPool, batch: UUID, name: str) -> UUID:
    with pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(name=name))
    return batch


def shown(page: Page) -> list[str]:
    """Names of the tiles, in their order."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#tiles > li:not([hidden])")]
          .sort((one, other) => one.ariaPosInSet - other.ariaPosInSet)
          .map((one) => one.querySelector(".tile__cap > :first-child").textContent)"""
    )


def test_the_list_is_searched_ordered_and_live(desk: Desk, pool: PlainPool) -> None:
    for name in ("yard", "apples"):
        named(pool, pool.submit(2), name)
    page = desk.open("/batches")
    names = page.locator("#rows a.name")
    expect(names.first).to_have_text("apples")
    page.get_by_label("Order").select_option("oldest")
    page.get_by_label("Search by name").fill("yard")
    expect(names).to_have_text(["yard"])
    page.reload()
    expect(names).to_have_text(["yard"])
    row = page.locator("#rows tr")
    expect(row).to_contain_text("Waiting")
    other = desk.open("/batches")
    other.locator("#rows tr", has_text="yard").get_by_role("group").locator("summary").click()
    other.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    page.get_by_label("Search by name").fill("no such")
    page.get_by_role("button", name="Show all").click()
    expect(names).not_to_have_count(0)


def test_a_batch_is_renamed_deleted_and_restored(desk: Desk, pool: PlainPool, batch: UUID) -> None:
    page = desk.open(f"/batches/{batch}")
    more = page.locator("#acts summary")
    more.click()
    page.get_by_role("button", name="Rename").click()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    more.click()
    page.get_by_role("button", name="Rename").click()
    page.locator("#new-name").fill("lemons")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("lemons")
    more.click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/batches?show=trash")
    page.locator("tr", has_text="lemons").get_by_role("button", name="Restore").click()
    page.wait_for_url(f"**/batches/{batch}")
    expect(page.locator("h1")).to_have_text("lemons")


def test_a_long_gallery_is_reached_everywhere_with_few_elements(desk: Desk, large: UUID) -> None:
    page = desk.open(f"/batches/{large}")
    expect(page.locator("#gallery-sum")).to_have_text(f"{COUNT} pictures")
    expect(page.locator("#tiles a").first).to_contain_text("000.png")
    expect(page.locator("#tiles a").nth(5)).to_have_accessible_name(re.compile(r"png: \d+ masks?$"))
    page.locator("#tiles a").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#tiles a:focus")).to_contain_text(f"{COUNT - 1}.png")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#tiles a:focus")).to_contain_text(f"{COUNT - 2}.png")
    assert page.locator("#tiles > li").count() < 100
    page.keyboard.press("Home")
    expect(page.locator("#tiles a:focus")).to_contain_text("000.png")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-title")).to_have_text("000.png")
    expect(page.locator(".viewer__note")).to_contain_text("cut off")
    page.keyboard.press("Escape")
    expect(page.locator("#tiles a:focus")).to_contain_text("000.png")


def test_pictures_are_filtered_and_failures_grouped(desk: Desk, large: UUID) -> None:
    page = desk.open(f"/batches/{large}")
    expect(page.locator("#fails")).to_contain_text("Cut off")
    # What cannot be had now is said where it would stand, and can be asked for again.
    desk.expected += ["net::ERR_FAILED"]
    page.route("**/failures?*", without_answer, times=1)
    page.locator("#fails").get_by_role("button", name="Show").click()
    expect(page.locator("#names-cut_off")).to_contain_text("cannot be reached")
    page.locator("#fails").get_by_role("button", name="Hide").click()
    page.locator("#fails").get_by_role("button", name="Show").click()
    expect(page.locator("#names-cut_off li")).to_have_count(3)
    page.get_by_role("radio", name="Failed").check(force=True)
    expect(page.locator("#gallery-sum")).to_have_text("3 pictures")
    assert shown(page) == ["000.png", "001.png", "002.png"]
    # Who comes back to an open picture comes back to the filter, too.
    page.locator("#tiles > li:not([hidden]) a", has_text="001.png").click()
    page.reload()
    expect(page.get_by_role("dialog")).to_contain_text("2 / 3")
    page.keyboard.press("Escape")
    expect(page.locator("#gallery-sum")).to_have_text("3 pictures")
    page.get_by_role("radio", name="All").check(force=True)
    page.get_by_label("Least score").fill("0.8")
    expect(page.locator("#gallery-sum")).to_have_text(f"{COUNT} pictures")
    page.get_by_label("Prompt", exact=True).select_option("b")
    expect(page.get_by_text("No picture is like this.")).to_be_visible()
    page.get_by_role("button", name="Show all pictures").click()
    page.get_by_label("Order").select_option("random")
    page.wait_for_function("() => document.querySelector('#tiles a .trunc').textContent !== ''")
    page.reload()
    expect(page.get_by_label("Order")).to_have_value("random")


def test_an_open_picture_waits_for_a_page_that_did_not_come(desk: Desk, large: UUID) -> None:
    desk.expected += ["net::ERR_FAILED"]
    context = desk.person("ann")
    context.route(re.compile(r"/images\?.*(after|skip)="), lambda one: one.abort())
    page = context.new_page()
    page.goto(f"{desk.site.url}/batches/{large}#image=199")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("200 / 250")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("This picture is not here yet")
    expect(dialog).not_to_contain_text("199.png")
    context.unroute_all()
    expect(dialog).to_contain_text("201 / 250")
    expect(dialog).to_contain_text("200.png")


def test_filters_go_by_what_is_saved_and_say_so(desk: Desk, batch: UUID) -> None:
    page = desk.open(f"/batches/{batch}?found=found")
    expect(page.locator("#reading > :not([inert])")).to_be_visible()
    said = page.locator("#gallery-sum")
    expect(said).to_contain_text("picture")
    expect(said).not_to_contain_text("saved settings")
    page.get_by_label("Threshold", exact=True).press("End")
    expect(said).to_contain_text("chosen by the saved settings")
    kept = page.locator("#facts div", has_text="Masks").locator("dd")
    expect(page.locator("#keeps")).to_contain_text(f"Keeps {kept.text_content()} of")
    page.get_by_role("button", name="Reset").click()
    expect(said).not_to_contain_text("saved settings")


def test_two_people_do_not_save_over_each_other(desk: Desk, pool: PlainPool, batch: UUID) -> None:
    one, other = (desk.open(f"/batches/{batch}") for _ in range(2))
    for page, key in ((one, "PageUp"), (other, "PageDown")):
        expect(page.locator("#reading > :not([inert])")).to_be_visible()
        slider = page.get_by_label("Threshold", exact=True)
        expect(page.locator("#keeps")).to_contain_text("stored masks")
        slider.focus()
        page.keyboard.press(key)
    one.get_by_role("button", name="Save for everybody").click()
    expect(one.locator("#saveline")).to_be_hidden()
    theirs = str(one.locator("#reading output").first.text_content())
    other.get_by_role("button", name="Save for everybody").click()
    expect(other.locator("#save-note")).to_contain_text("Somebody else")
    other.get_by_role("button", name="Take theirs").click()
    expect(other.locator("#reading output").first).to_have_text(theirs)


def test_who_may_only_look_is_offered_no_change(desk: Desk, pool: PlainPool, batch: UUID) -> None:
    with pool.database.write() as session:
        for name in ("bob", "eve"):
            accounts.insert(session, name)
        teams.create(session, "yard")
        team, bob = teams.find(session, "yard"), accounts.by_name(session, "bob")
        assert team is not None
        assert bob is not None
        teams.put_member(session, team.id, bob.id, Role.VIEWER)
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(team_id=team.id))
    page = desk.open(f"/batches/{batch}", "eve")
    expect(page.get_by_role("alert").first).to_contain_text("There is no such thing")
    page = desk.open(f"/batches/{batch}", "bob")
    expect(page.locator("#reading > :not([inert])")).to_be_visible()
    page.get_by_label("Threshold", exact=True).press("End")
    expect(page.locator("#reset")).to_be_visible()
    expect(page.get_by_role("button", name="Export")).to_be_visible()
    expect(page.get_by_role("button", name="Save for everybody")).to_be_hidden()
    expect(page.locator("#acts summary")).to_be_hidden()
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("dialog")).to_contain_text("Everybody in yard")


def without_answer(route: Route) -> None:
    """The request arrives, its answer is lost."""
    route.fetch()
    route.abort()


def fill_in(page: Page, folder: Path, *, sent: str = "2 pictures") -> None:
    folder.mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"no picture, but named as one")
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("#file-groups")).to_contain_text(sent)
    page.get_by_label("Add a prompt").fill("apple")
    page.get_by_label("Add a prompt").press("Enter")


def test_a_reload_loses_nothing_and_a_lost_answer_makes_no_second_batch(
    desk: Desk, tmp_path: Path
) -> None:
    desk.expected += ["net::ERR_FAILED"]
    page = desk.open("/batches/new")
    fill_in(page, tmp_path / "yard")
    # Without a name it gets its folder's.
    expect(page.locator("#name")).to_have_attribute("placeholder", "yard")
    page.locator("#name").fill("once")
    page.reload()
    expect(page.locator(".prompt b").first).to_have_text("apple")
    expect(page.locator("#name")).to_have_value("once")
    expect(page.locator("#resumed")).to_contain_text("2 files")
    page.locator("#folder").set_input_files(tmp_path / "yard")
    expect(page.locator("#passed-count")).to_have_text("2 files passed over")
    page.route("**/api/v1/batches", without_answer, times=1)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#start-note")).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}$"), wait_until="commit")
    page.goto(f"{desk.site.url}/batches?name=once")
    expect(page.locator("#rows a.name")).to_have_text(["once"])


def test_a_batch_waits_for_files_that_could_not_be_sent(desk: Desk, tmp_path: Path) -> None:
    page = desk.open("/batches/new")
    held: list[Route] = []
    page.route("**/files/yard/a.png", lambda one: held.append(one))  # noqa: PLW0108
    fill_in(page, tmp_path / "yard", sent="1 of 2")
    # Pressed while files are on their way, of which one is refused then.
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#start-note")).to_be_visible()
    refusal = {"code": "image.large", "detail": "it is too large", "params": {}}
    held[0].fulfill(status=422, json=refusal, content_type="application/problem+json")
    expect(page.locator("#why-not")).to_have_text(
        "Some files could not be sent. Try them again, or leave them out."
    )
    expect(page.locator("#start-note")).to_be_hidden()
    expect(page.get_by_role("button", name="Start")).to_be_disabled()
    page.get_by_role("button", name="Leave them out").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}$"), wait_until="commit")


def test_prompts_come_from_a_file_and_an_earlier_batch(
    desk: Desk, pool: PlainPool, batch: UUID, tmp_path: Path
) -> None:
    named(pool, batch, "earlier " * 20)
    page = desk.open("/batches/new", window=PHONE)
    expect(page.get_by_label("From an earlier batch")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    file = tmp_path / "spec.yaml"
    file.write_text(
        "threshold: 0.7\nprompts:\n  - {name: cone, text: traffic cone, not: [barrel]}\n"
    )
    page.locator("#spec-file").set_input_files(file)
    expect(page.locator(".prompt")).to_have_count(1)
    expect(page.locator(".prompt")).to_contain_text("barrel")
    expect(page.locator("#reading output").first).to_have_text("0.70")
    file.write_text("prompts: [a\n")
    page.locator("#spec-file").set_input_files(file)
    expect(page.locator("#taken-over")).to_contain_text("Line 2 is neither JSON nor YAML.")
    page.get_by_label("From an earlier batch").select_option(str(batch))
    expect(page.locator(".prompt b")).to_have_text(["a", "b", "not"])


def test_a_page_that_missed_an_answer_takes_it_up_later(desk: Desk, batch: UUID) -> None:
    desk.expected += ["net::ERR_FAILED"]
    context = desk.person("ann")
    context.route("**/api/v1/places", lambda one: one.abort(), times=1)
    page = context.new_page()
    page.goto(f"{desk.site.url}/batches/new")
    page.get_by_role("radio", name="Bucket").check(force=True)
    expect(page.locator("#places")).to_contain_text("cannot be reached")
    # It is not said that there is none before that is known.
    expect(page.locator("#no-places")).to_be_hidden()
    page.get_by_label("Add a prompt").fill("apple")
    page.get_by_label("Add a prompt").press("Enter")
    expect(page.locator("#no-places")).to_be_visible()
    expect(page.locator("#places")).not_to_contain_text("cannot be reached")
    context.route("**/api/v1/session", lambda one: one.abort(), times=1)
    page.goto(f"{desk.site.url}/batches/{batch}")
    expect(page.get_by_label("Account: ann")).to_be_visible()
    expect(page.locator("#gallery-sum")).to_have_text("4 pictures")


def test_of_two_earlier_batches_the_last_chosen_is_taken(
    desk: Desk, pool: PlainPool, batch: UUID
) -> None:
    other = named(pool, pool.submit(1), "the other")
    page = desk.open("/batches/new")
    held: list[Route] = []
    page.route(f"**/api/v1/batches/{batch}", lambda one: held.append(one))  # noqa: PLW0108
    earlier, said = page.get_by_label("From an earlier batch"), page.locator("#taken-over")
    earlier.select_option(str(batch))
    earlier.select_option(str(other))
    expect(said).to_contain_text("the other")
    with page.expect_response(f"**/api/v1/batches/{batch}") as late:
        held[0].continue_()
    late.value.finished()
    # Whatever the page does with it is done before it has had one more answer.
    page.unroute_all()
    page.evaluate("(url) => fetch(url).then((one) => one.text())", late.value.url)
    expect(said).to_contain_text("the other")


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_a_batch_is_for_everybody(desk: Desk, large: UUID, language: str, theme: str) -> None:
    page = desk.open(f"/batches/{large}", language=language, theme=theme)
    page.locator("#tiles a[href]").first.wait_for()
    page.locator("#fails li").wait_for()
    _assert_accessible(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.locator("#tiles a[href]").nth(4).click()
    page.locator(".found tbody tr, .viewer__note p").first.wait_for()
    _assert_accessible(page)


def test_a_finger_opens_a_picture_and_goes_on(desk: Desk, large: UUID) -> None:
    page = desk.open(f"/batches/{large}", window=PHONE)
    page.locator("#tiles a[href]").nth(5).tap()
    expect(page.locator("#viewer-title")).to_have_text("005.png")
    page.get_by_role("dialog").get_by_role("button", name="Next picture").tap()
    expect(page.locator("#viewer-title")).to_have_text("006.png")
    page.get_by_role("dialog").get_by_role("button", name="Close").tap()
    expect(page.locator("#viewer-title")).to_be_hidden()


def _assert_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()

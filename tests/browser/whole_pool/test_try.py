"""Try as a labeler uses it: a real pool with the demo model, real pointers and keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect
from pycocotools import mask as coco
from services.studio import PHONE, Desk
from services.try_page import CIRCLE, NOTHING, TRIANGLE, Bench, settled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


#: Press keys before the page draws anything.
_AT_ONCE = """
(keys) => keys.forEach((key) =>
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })))
"""


def test_a_slider_acts_on_what_is_stored(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    assert bench.inked("picture") > 0
    assert bench.inked("masks") == 0
    bench.prompt("red circle", "circle, not ring", "big=triangle")
    # It begins as the pool reads its model; without that, duplicates of low scores count, too.
    expect(page.locator("#overlap")).to_have_value("0.5")
    page.locator("#overlap").fill("1")
    drawn, count = bench.inked("masks"), bench.count()
    assert drawn > 5_000
    assert count >= 4

    # A slider acts on what is there: nothing is asked.
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/predict" in one.url else None)
    page.locator("#threshold").focus()
    page.keyboard.press("Home")
    expect(page.locator("#threshold-out")).to_have_text("0.05")
    assert bench.count() > count
    page.keyboard.press("End")
    page.locator("#threshold").fill("0.5")
    assert bench.count() == count
    assert bench.inked("masks") == pytest.approx(drawn, rel=0.01)
    assert asked == []


def test_a_click_tells_and_a_point_corrects(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("circle, not ring", "big=triangle")
    # A click tells what it is.
    page.mouse.move(*bench.place(TRIANGLE))
    expect(page.locator("#tip")).to_contain_text("big 1")
    bench.click(CIRCLE)
    card = page.get_by_role("region", name="Selected mask")
    expect(card.get_by_role("heading", level=2)).to_have_text(re.compile(r"circle \d"))
    told = re.sub(r"\s+", " ", card.inner_text())
    area = int(re.search(r"Area ([\d,]+) px", told)[1].replace(",", ""))  # type: ignore[index]
    assert area > 1_000
    assert re.search(r"Score 0\.9\d\d Area", told)
    expect(page.locator("tr[aria-selected=true]")).to_have_count(1)

    # A point corrects this mask alone, and undo takes it back.
    with page.expect_request(re.compile("/predict")) as request:
        page.keyboard.press("n")
        bench.click((CIRCLE[0] - 40, CIRCLE[1]))
    body = json.loads(request.value.post_data or "{}")
    assert "prompts" not in body
    [wanted] = body["objects"]
    assert wanted["class"] == "circle"
    assert [label for *_, label in wanted["points"]] == [0]
    expect(page.locator("tr[aria-selected=true]")).to_contain_text("corrected")
    expect(page.locator("#strip")).to_contain_text("Ready")
    page.keyboard.press("z")
    settled(lambda: "corrected" not in "".join(bench.rows()))
    page.keyboard.press("y")
    settled(lambda: "corrected" in "".join(bench.rows()))


def test_what_counts_is_saved_as_other_tools_read_it(desk: Desk, tmp_path: Path) -> None:
    bench = Bench(desk)
    bench.bring()
    bench.prompt("circle", "triangle")
    bench.page.keyboard.press("n")
    bench.click(CIRCLE)
    settled(lambda: "corrected" in "".join(bench.rows()))
    expect(bench.page.locator("#strip")).to_contain_text("Ready")
    bench.downloads("COCO JSON").save_as(tmp_path / "coco.json")
    saved = json.loads((tmp_path / "coco.json").read_text())
    assert len(saved["annotations"]) == bench.count()
    for one in saved["annotations"]:
        rle = one["segmentation"]
        packed = {"size": rle["size"], "counts": rle["counts"].encode()}
        assert coco.area(packed) == one["area"] > 0
        assert coco.toBbox(packed).tolist() == one["bbox"]
    bench.downloads("Cut-out with").save_as(tmp_path / "cutout.png")
    alpha = np.asarray(Image.open(tmp_path / "cutout.png"))[..., 3]
    assert alpha.shape == (498, 603)
    assert alpha[CIRCLE[1], CIRCLE[0]] == 255
    assert alpha[NOTHING[1], NOTHING[0]] == 0
    bench.downloads("All masks in one PNG").save_as(tmp_path / "labels.png")
    labels = np.asarray(Image.open(tmp_path / "labels.png").convert("L"))
    assert set(np.unique(labels)) == set(range(bench.count() + 1))


def test_new_objects_by_point_and_box_and_by_keys(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("purple cross")
    assert bench.count() == 0
    strip = page.locator("#strip")
    page.keyboard.press("n")
    expect(strip).to_contain_text("Begins a new object.")
    bench.click(TRIANGLE)
    expect(page.get_by_role("alert").first).to_contain_text("Begin with a point on the object")
    page.keyboard.press("p")
    bench.click(TRIANGLE)
    expect(page.locator("#masks-count")).to_have_text("1")
    # What the next point changes is said before it is set.
    expect(strip).to_contain_text("Corrects purple cross 1. Esc, then: a new object.")
    page.keyboard.down("Alt")
    bench.click((TRIANGLE[0] + 10, TRIANGLE[1] + 10))
    page.keyboard.up("Alt")
    settled(lambda: bench.canvas.evaluate("(one) => one.scene.points.length") == 2)
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    page.mouse.move(*bench.place((240, 150)))
    page.mouse.down()
    page.mouse.move(*bench.place((300, 250)), steps=3)
    page.mouse.move(*bench.place((400, 310)), steps=3)
    page.mouse.up()
    expect(page.locator("#masks-count")).to_have_text("2")
    # The same by keys alone: a cross moves, Enter sets a point.
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    bench.canvas.focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#masks-count")).to_have_text("3")
    page.keyboard.press("r")
    expect(page.locator("#masks-count")).to_have_text("0")
    expect(page.locator("#masks-none")).to_be_visible()
    # Keys that come quicker than the rows, which follow the picture, are not lost.
    page.evaluate(_AT_ONCE, ["z", "Escape", "ArrowDown", "x"])
    expect(page.locator("#masks-count")).to_have_text("2")


def test_the_label_of_a_drawn_object_can_be_changed(desk: Desk, tmp_path: Path) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("purple cross", "leaf=yellow star")
    page.keyboard.press("p")
    bench.click(TRIANGLE)
    row = page.locator("#masks tr[aria-selected=true]")
    expect(row).to_contain_text("purple cross 1")
    # In its card: Enter takes it, Escape does not.
    card = page.get_by_role("region", name="Selected mask")
    field = card.get_by_label("Label of purple cross 1")
    field.fill("leaf")
    field.press("Escape")
    expect(field).to_have_value("purple cross")
    field.fill(" three  corners ")
    field.press("Enter")
    expect(row).to_contain_text("three corners 1")
    expect(card.get_by_label("Label of three corners 1")).to_be_visible()
    page.keyboard.press("z")
    expect(row).to_contain_text("purple cross 1")
    page.keyboard.press("y")
    expect(row).to_contain_text("three corners 1")
    # A correction keeps it.
    with page.expect_request(re.compile("/predict")) as request:
        bench.click((TRIANGLE[0] + 10, TRIANGLE[1] + 10))
    assert json.loads(request.value.post_data or "{}")["objects"][0]["class"] == "three corners"
    expect(page.locator("#strip")).to_contain_text("Ready")
    # In the table, by keys alone.
    page.keyboard.press("l")
    row.get_by_label("Label of three corners 1").fill("leaf")
    page.keyboard.press("Enter")
    expect(row).to_contain_text(re.compile(r"leaf \d"))
    expect(page.locator("#masks-scroll")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(row.locator("input")).to_have_count(0)
    bench.downloads("COCO JSON").save_as(tmp_path / "coco.json")
    saved = json.loads((tmp_path / "coco.json").read_text())
    names = {one["id"]: one["name"] for one in saved["categories"]}
    assert {names[one["category_id"]] for one in saved["annotations"]} == {"leaf"}
    assert "three corners" not in names.values()
    page.reload()
    corrected = page.locator("#masks tbody tr").filter(has_text="corrected")
    expect(corrected).to_contain_text(re.compile(r"leaf \d"))


def test_a_box_after_the_other_begins_another_object(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("purple cross")

    def box(left: int, top: int, right: int, bottom: int) -> None:
        page.mouse.move(*bench.place((left, top)))
        page.mouse.down()
        page.mouse.move(*bench.place((right, bottom)), steps=3)
        page.mouse.up()

    page.keyboard.press("o")
    box(240, 150, 400, 310)
    expect(page.locator("#masks-count")).to_have_text("1")
    expect(page.locator("#strip")).to_contain_text("Around purple cross 1: corrects it.")
    # The first one is still selected; a box elsewhere leaves it as it is.
    box(80, 210, 235, 370)
    expect(page.locator("#masks-count")).to_have_text("2")
    # A box around the selected one corrects it, and undo takes that back.
    box(85, 205, 240, 365)
    expect(page.locator("#strip")).to_contain_text("Ready")
    expect(page.locator("#masks-count")).to_have_text("2")
    page.keyboard.press("z")
    page.keyboard.press("z")
    expect(page.locator("#masks-count")).to_have_text("1")


def test_a_correction_that_waits_survives_a_reload(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("circle")
    count = bench.count()
    page.route("**/api/v1/predict?*", lambda _: None)
    page.keyboard.press("p")
    with page.expect_request("**/api/v1/predict?*"):
        bench.click(TRIANGLE)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    with page.expect_request("**/api/v1/predict?*"):
        bench.click((CIRCLE[0] - 40, CIRCLE[1]))
    desk.expected += ["net::ERR"]
    page.unroute("**/api/v1/predict?*")
    page.reload()
    settled(lambda: sum("corrected" in row for row in bench.rows()) == 2)
    assert bench.count() == count + 1
    expect(page.locator("#strip")).to_contain_text("Ready")


@pytest.mark.parametrize("sample", ["On black", "Overlapping", "Checkered", "On pink", "On green"])
def test_the_first_suggestion_finds_something(desk: Desk, sample: str) -> None:
    bench = Bench(desk)
    page = bench.page
    page.get_by_role("button", name=sample).click()
    page.locator("#known-prompts button").first.click()
    settled(lambda: bench.count() > 0)


def test_a_reload_loses_nothing(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    bench.prompt("circle", "yellow star")
    page.locator("#threshold").fill("0.3")
    page.locator("#exclusive").check()
    page.keyboard.press("p")
    bench.click(TRIANGLE)
    settled(lambda: "corrected" in "".join(bench.rows()))
    page.get_by_label("Add a prompt").fill("half ty")
    before = sorted(bench.rows())
    page.reload()
    settled(lambda: sorted(bench.rows()) == before)
    assert page.get_by_label("Add a prompt").input_value() == "half ty"
    expect(page.locator("#threshold-out")).to_have_text("0.30")
    assert bench.inked("masks") > 1_000
    # Another tab begins with the prompts and without the picture.
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#prompts > li")).to_have_count(2)
    expect(other.get_by_role("heading", name="Drop a picture here")).to_be_visible()


def test_one_prompt_of_its_own_and_what_does_not_count(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    page.get_by_role("button", name="On black").click()
    bench.prompt("circle", "red circle")
    page.get_by_role("switch", name="One object, one class").check()
    page.get_by_role("button", name=re.compile("more do not count")).click()
    settled(lambda: any("is red circle" in row for row in bench.rows()))
    page.get_by_label("Threshold of").select_option("circle")
    page.locator("#threshold").fill("0.95")
    expect(page.get_by_role("button", name="As all others")).to_be_visible()
    page.get_by_role("button", name="Label").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Label")
    page.get_by_role("button", name="Presets").click()
    page.get_by_label("Name of the present").fill("round")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Remove red circle").click()
    expect(page.locator("#prompts > li")).to_have_count(1)
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("button", name=re.compile("^round")).click()
    expect(page.locator("#prompts > li")).to_have_count(2)
    page.get_by_role("button", name="As code").click()
    for name, part in (
        ("curl", "/api/v1/predict"),
        ("Python", "httpx"),
        ("CLI", "--spec spec.json"),
    ):
        page.get_by_role("dialog").get_by_label(name).check()
        expect(page.locator(".code")).to_contain_text(part)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")


def test_zoom_and_move(desk: Desk) -> None:
    bench = Bench(desk)
    page = bench.page
    bench.bring()
    settled(lambda: bench.canvas.evaluate("(one) => one.view.pictureWidth") == 603)
    fits = bench.canvas.evaluate("(one) => one.view.scale")
    where = bench.place(CIRCLE)
    page.mouse.move(*where)
    page.mouse.wheel(0, -400)
    settled(lambda: bench.canvas.evaluate("(one) => one.view.scale") > 1.5 * fits)
    assert bench.place(CIRCLE) == pytest.approx(where, abs=1)
    page.keyboard.down("Space")
    page.mouse.down()
    page.mouse.move(where[0] + 50, where[1] + 20, steps=4)
    page.mouse.up()
    page.keyboard.up("Space")
    moved = bench.place(CIRCLE)
    assert moved == pytest.approx((where[0] + 50, where[1] + 20), abs=1)
    page.mouse.dblclick(*moved)
    assert bench.canvas.evaluate("(one) => one.view.scale") == fits


def test_a_phone_with_fingers(desk: Desk) -> None:
    bench = Bench(desk, window=PHONE)
    page = bench.page
    # Nobody drops or pastes on a phone.
    expect(page.get_by_role("heading", name="Choose a picture")).to_be_visible()
    expect(page.get_by_text("Ctrl V")).to_be_hidden()
    page.get_by_role("button", name="On black").tap()
    bench.prompt("circle")
    expect(page.locator("#strip")).to_contain_text("Demo model")
    page.touchscreen.tap(*bench.place(CIRCLE))
    card = page.get_by_role("region", name="Selected mask")
    expect(card).to_contain_text("circle")
    card.get_by_role("button", name="Fix").tap()
    page.touchscreen.tap(*bench.place((CIRCLE[0] - 20, CIRCLE[1])))
    expect(page.locator("tr[aria-selected=true]")).to_contain_text("corrected")
    session = page.context.new_cdp_session(page)
    x, y = bench.place(CIRCLE)
    before = bench.canvas.evaluate("(one) => one.view.scale")

    def fingers(kind: str, away: float) -> None:
        points = [{"x": x - away, "y": y, "id": 0}, {"x": x + away, "y": y, "id": 1}]
        touches = {"type": kind, "touchPoints": [] if kind == "touchEnd" else points}
        session.send("Input.dispatchTouchEvent", touches)

    fingers("touchStart", 20)
    for away in (30, 45, 60):
        fingers("touchMove", away)
    fingers("touchEnd", 60)
    settled(lambda: bench.canvas.evaluate("(one) => one.view.scale") > 2 * before)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]

    # The panel is a sheet with three heights: by its button, by keys, by a finger.
    sheet, main = page.locator("#sheet"), page.locator("#main")
    expect(sheet).to_have_accessible_name("Panel: half. Open it fully.")
    sheet.tap()
    expect(main).to_have_attribute("data-sheet", "full")
    sheet.press("ArrowDown")
    sheet.press("ArrowDown")
    expect(main).to_have_attribute("data-sheet", "peek")
    expect(sheet).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_label("Add a prompt")).to_be_hidden()

    def drag(way: float) -> None:
        box = sheet.bounding_box()
        assert box is not None
        x, y = box["x"] + 100, box["y"] + 20
        for kind, at in (("Start", 0.0), ("Move", way / 2), ("Move", way), ("End", way)):
            points = [] if kind == "End" else [{"x": x, "y": y + at, "id": 0}]
            session.send(
                "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
            )

    drag(-240)
    expect(main).to_have_attribute("data-sheet", "half")
    assert bench.canvas.bounding_box()["height"] > 250  # type: ignore[index]
    drag(-300)
    expect(main).to_have_attribute("data-sheet", "full")


def test_a_finger_finds_small_things(desk: Desk) -> None:
    bench = Bench(desk, window=PHONE)
    page = bench.page
    page.get_by_role("button", name="On black").tap()
    bench.prompt("circle")
    # Heads that sort, and what takes a "not" back, are large enough for a finger.
    page.locator("#prompts .prompt__not").tap()
    page.locator("#add-not").fill("ring")
    page.keyboard.press("Enter")
    for small in (*page.locator("[data-sort]:visible").all(), page.locator(".chip--not")):
        box = small.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


def test_a_late_answer_leaves_the_word_about_the_last_step(desk: Desk, tmp_path: Path) -> None:
    bench = Bench(desk)
    page = bench.page
    held: list[Route] = []
    page.route("**/api/v1/predict*", lambda one: held.append(one), times=1)  # noqa: PLW0108
    broken, text = tmp_path / "broken.jpg", tmp_path / "notes.txt"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
    text.write_text("no picture")
    page.set_input_files("#file", broken)
    page.get_by_label("Add a prompt").fill("circle")
    # That the picture itself cannot be shown is told before the question, or after it.
    with page.expect_request("**/api/v1/predict*", timeout=60_000):
        page.keyboard.press("Enter")
    strip = page.locator("#strip")
    page.set_input_files("#file", text)
    expect(strip).to_contain_text("None of these files is a picture")
    with page.expect_response(lambda one: "/predict" in one.url and one.status != 202):
        held[0].continue_()
    # The question failed: it can be asked again, and the word stays.
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(strip).to_contain_text("None of these files is a picture")
    expect(strip).not_to_contain_text("damaged")
    page.get_by_role("button", name="Try again").click()
    expect(strip).to_contain_text("picture is damaged", timeout=30_000)
    expect(strip).not_to_contain_text("None of these")


def test_what_fails_says_so_and_is_tried_again(desk: Desk, tmp_path: Path) -> None:
    bench = Bench(desk)
    page = bench.page
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
    page.set_input_files("#file", broken)
    page.get_by_label("Add a prompt").fill("circle")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("picture is damaged", timeout=30_000)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    page.set_input_files("#file", text)
    expect(page.locator("#strip")).to_contain_text("None of these files is a picture")
    bench.bring()
    expect(page.locator("#strip")).to_contain_text("Ready", timeout=30_000)
    assert bench.count() > 0
    desk.expected += ["ERR_INTERNET_DISCONNECTED"]
    page.context.set_offline(True)
    page.get_by_label("Add a prompt").fill("yellow star")
    page.keyboard.press("Enter")
    expect(page.locator("#strip")).to_contain_text("cannot be reached")
    assert bench.count() > 0, "what is there stays usable"
    page.context.set_offline(False)
    expect(page.locator("#strip")).to_contain_text("Ready", timeout=30_000)
    settled(lambda: any("yellow star" in row for row in bench.rows()))

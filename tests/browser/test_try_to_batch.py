"""What Try hands to a new batch: the pictures of its strip, beside prompts and what counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from services.dropping import drop
from services.studio import Desk

SCENES = Path(__file__).resolve().parents[2] / "samples" / "scenes"
#: Pictures of a sample.
SAMPLE = 200
NAMES = ("scene_02.jpg", "scene_04.jpg", "scene_13.jpg")


def brought(desk: Desk, *names: str) -> Page:
    """The form for a new batch, with pictures from Try; of three, the second was open."""
    page = desk.open("/try")
    page.set_input_files("#file", [SCENES / name for name in names])
    expect(page.locator("#picture-name")).to_contain_text(names[0])
    for _ in names[2:]:
        page.keyboard.press("ArrowRight")
    page.get_by_label("Add a prompt").fill("bus")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    return page


def started(page: Page, name: str = "Start") -> dict[str, Any]:
    """What the form asks for."""
    with page.expect_request(lambda one: one.method == "POST" and "batches" in one.url) as asked:
        page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_url("**/batches/*-*")
    body: dict[str, Any] = json.loads(asked.value.post_data or "")
    return body


def test_the_open_picture_comes_along(desk: Desk) -> None:
    page = brought(desk, NAMES[0])
    expect(page.locator("#brought")).to_contain_text(f"From Try: {NAMES[0]}")
    expect(page.locator("#sum")).to_contain_text("Pictures1")
    expect(page.locator("#name")).to_have_attribute("placeholder", NAMES[0])
    page.reload()
    expect(page.locator("#brought")).to_contain_text(NAMES[0])
    asked = started(page)
    assert len(asked["source"]["uploads"]) == 1
    expect(page.locator("#total")).to_have_text("of 1 picture")
    expect(page.locator("h1")).to_have_text(NAMES[0])
    # It is in that batch, and in no later one.
    page.goto(f"{desk.site.url}/batches/new")
    expect(page.locator("#brought")).to_be_hidden()


def test_all_pictures_of_the_strip_or_one_or_none(desk: Desk) -> None:
    page = brought(desk, *NAMES)
    line = page.locator("#brought")
    expect(line).to_contain_text("From Try: 3 pictures")
    drop(page, {"another.jpg": (SCENES / NAMES[0]).read_bytes()})
    expect(page.locator("#sum")).to_contain_text("Pictures4")
    line.get_by_role("button", name=f"Only {NAMES[1]}").click()
    expect(line).to_have_text(f"From Try: {NAMES[1]}")
    expect(page.locator("#sum")).to_contain_text("Pictures2")
    # A list names the pictures of its batch, and these are none of them.
    drop(page, {"list.txt": b"another.jpg\n"})
    expect(line).to_contain_text("Not in the batch")
    page.get_by_role("button", name="Begin with other files").click()
    expect(line).to_have_text(f"From Try: {NAMES[1]}")
    line.get_by_role("button", name="Leave the pictures from Try out").click()
    expect(line).to_be_hidden()
    expect(page.locator("#why-not")).not_to_be_empty()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_disabled()


def test_what_lies_in_a_batch_stays_there_and_is_said_to(desk: Desk) -> None:
    page = brought(desk, NAMES[0])
    started(page)
    batch = page.url.rpartition("/")[2]
    page.goto(f"{desk.site.url}/try?batch={batch}&image=0")
    expect(page.locator("#picture-name")).to_contain_text("2 of 2")
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    expect(page.locator("#brought")).to_contain_text(f"From Try: {NAMES[0]}")
    expect(page.locator("#brought")).to_contain_text("1 picture stays in Try")


def test_they_go_on_through_a_sample_to_the_whole(desk: Desk) -> None:
    page = desk.open("/try")
    page.set_input_files("#file", [SCENES / name for name in NAMES[:2]])
    page.get_by_label("Add a prompt").fill("shape=red circle, not ring")
    page.keyboard.press("Enter")
    page.get_by_role("switch", name="Large pictures").check()
    page.get_by_role("button", name="Use for a batch").click()
    page.wait_for_url("**/batches/new")
    along, sum_ = page.locator("#brought"), page.locator("#sum")
    expect(along).to_contain_text("From Try: 2 pictures")
    first = f"Try {SAMPLE} pictures first"
    expect(page.get_by_role("button", name=first)).to_be_hidden()
    # One more than a sample, so that there is something to draw from.
    drop(page, {f"{at}.jpg": b"x" for at in range(SAMPLE - 1)})
    expect(sum_).to_contain_text(f"Pictures{SAMPLE + 1}", timeout=60_000)
    page.locator("#name").fill("street")
    sample = started(page, first)
    assert sample["sample"] == {"images": SAMPLE}
    assert len(sample["source"]["uploads"]) == 3
    expect(page.locator("h1")).to_have_text("street (sample)")
    of = f"A sample: {SAMPLE} of {SAMPLE + 1} pictures"
    expect(page.locator("#sample")).to_contain_text(of)
    # The form is free again: what was sent is in the sample alone.
    page.goto(f"{desk.site.url}/batches/new")
    expect(along).to_be_hidden()
    page.go_back()
    expect(page.locator("#total")).to_have_text(f"of {SAMPLE} pictures")
    page.get_by_label("Threshold", exact=True).fill("0.7")
    page.get_by_role("button", name=f"Now all {SAMPLE + 1} with these settings").click()
    page.wait_for_url("**/batches/new")
    expect(page.locator("#whole-of")).to_contain_text("The whole of “street (sample)”")
    expect(along).to_contain_text("From Try: 2 pictures")
    expect(sum_).to_contain_text(f"Pictures{SAMPLE + 1}")
    expect(page.locator("#name")).to_have_value("street")
    expect(page.locator(".prompt b").first).to_have_text("shape")
    expect(page.locator("#reading output").first).to_have_text("0.70")
    expect(page.get_by_role("switch", name="Large pictures")).to_be_checked()
    whole = started(page)
    assert "sample" not in whole
    assert sorted(whole["source"]["uploads"]) == sorted(sample["source"]["uploads"])
    # What was the pool's own model then is the one by which the sample was judged.
    assert whole["spec"] == {**sample["spec"], "model": "demo", "threshold": 0.7}
    assert whole["spec"]["tiles"] == "auto"
    [prompt] = whole["spec"]["prompts"]
    assert (prompt["name"], prompt["text"], prompt["not"]) == ("shape", "red circle", ["ring"])
    expect(page.locator("#total")).to_have_text(f"of {SAMPLE + 1} pictures")
    expect(page.locator("#sample")).to_be_hidden()
    page.get_by_role("link", name="Batches").first.click()
    expect(page.locator("#rows tr", has_text="street (sample)")).to_contain_text(of)


def test_a_source_that_is_chosen_stays(desk: Desk) -> None:
    page = desk.open("/batches/new")
    page.get_by_role("radio", name="List of addresses").check(force=True)
    page.locator("#list").fill("https://images.example.org/1.jpg")
    page.goto(f"{desk.site.url}/try")
    page.set_input_files("#file", SCENES / NAMES[0])
    expect(page.locator("#picture-name")).to_contain_text(NAMES[0])
    page.keyboard.press("c")
    page.wait_for_url("**/batches/new")
    expect(page.locator("#list")).to_have_value("https://images.example.org/1.jpg")
    expect(page.locator("#brought")).to_be_hidden()
    page.get_by_role("radio", name="Upload").check(force=True)
    expect(page.locator("#brought")).to_contain_text(NAMES[0])

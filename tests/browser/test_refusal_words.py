"""What the server refuses is said whole in the page's language: in Chinese without English."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Request, expect
from services.dropping import drop
from services.plain_pool import PlainPool
from services.studio import Desk, Site
from services.try_page import SCENE

from db import batches
from producer.predict import MAX_IN_FLIGHT
from storage.objects import open_store

#: Ask about the same image, and wait for no answer; the status.
_ASK = """async ([url, body]) => {
  const headers = {"Content-Type": "application/json"};
  return (await fetch(url, {method: "POST", headers, body: JSON.stringify(body)})).status;
}"""


@pytest.fixture
def batch(site: Site) -> UUID:
    return PlainPool(site.database, open_store((site.home / "store").as_uri())).submit(3)


def said_in(language: str, where: Locator, sentence: str) -> None:
    """A sentence is said, and in Chinese no letter of another language with it."""
    expect(where).to_contain_text(sentence)
    if language == "zh":
        assert not re.search("[A-Za-z]", str(where.text_content()))


#: The button that cancels, and what is said where somebody else did.
CANCEL = {
    "en": ("Cancel this batch", "This batch is cancelled, so there is nothing left to cancel."),
    "zh": ("取消此批次", "此批次已取消，无法再取消。"),
}


@pytest.mark.parametrize("language", CANCEL)
def test_what_a_batchs_state_forbids(desk: Desk, site: Site, batch: UUID, language: str) -> None:
    cancel, sentence = CANCEL[language]
    page = desk.open(f"/batches/{batch}", language=language)
    page.locator("#acts summary").click()
    page.get_by_role("button", name=cancel).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    with site.database.write() as session:
        batches.cancel(session, batch)
    dialog.get_by_role("button", name=cancel).click()
    said_in(language, dialog.get_by_role("alert"), sentence)


@pytest.mark.parametrize(
    ("language", "add", "sentence"),
    [
        ("en", "Add a prompt", f"{MAX_IN_FLIGHT} of your pictures are looked at just now."),
        ("zh", "添加提示词", f"您已有 {MAX_IN_FLIGHT} 张图片正在处理，请等其中一张完成。"),
    ],
)
def test_more_pictures_than_are_looked_at_at_once(
    desk: Desk, site: Site, language: str, add: str, sentence: str
) -> None:
    # Nobody works here, so that what is asked stays in flight.
    page = desk.open("/try", f"ann{desk.new_number()}", language=language)
    page.set_input_files("#file", SCENE)
    expect(page.locator("mask-canvas")).to_be_visible()

    def ask(text: str) -> Request:
        with page.expect_request("**/api/v1/predict*") as told:
            page.get_by_label(add).fill(text)
            page.get_by_label(add).press("Enter")
        return told.value

    body: dict[str, Any] = ask("circle").post_data_json
    for number in range(MAX_IN_FLIGHT):
        others = {**body, "prompts": [{"text": f"thing {number}"}]}
        page.evaluate(_ASK, [f"{site.url}/api/v1/predict?wait=0", others])
    ask("square")
    said_in(language, page.locator("#strip").get_by_role("alert"), sentence)


#: As the door tells a list of which lines are refused.
_LINES = {
    "code": "manifest.lines",
    "detail": "in English",
    "params": {
        "source": "1.jsonl",
        "refused": 41,
        "lines": [
            {
                "line": 3,
                "code": "manifest.gone",
                "params": {"name": "1.jpg"},
                "detail": "in English",
            },
            {
                "line": 1200,
                "code": "place.own_store",
                "params": {"place": "2"},
                "detail": "English",
            },
        ],
    },
}


@pytest.mark.parametrize(
    ("language", "add", "sentences"),
    [
        (
            "en",
            "Add a prompt",
            (
                "Refused lines of “1.jsonl”: 41. No batch was made; mend them and bring the list",
                "Line 3: “1.jpg” is not in the upload. Bring it first. Line 1200: “2” lies in the",
            ),
        ),
        (
            "zh",
            "添加提示词",
            (
                "清单“1.jsonl”有 41 行被拒绝，没有创建批次。请改好后重新上传。第 3 行：“1.jpg”不在",
                "第 1200 行：“2”位于资源池自己的存储中",
            ),
        ),
    ],
)
def test_lines_of_a_list_are_refusals_of_their_own(
    desk: Desk, language: str, add: str, sentences: tuple[str, ...]
) -> None:
    failed = {"state": "failed", "error": "in English", "problem": _LINES}
    page = desk.open("/batches/new", language=language)
    page.route("**/api/v1/tasks/*", lambda route: route.fulfill(json=failed))
    page.route("**/api/v1/batches", lambda route: route.fulfill(json={"task": "t"}, status=202))
    drop(page, {"list.jsonl": b'"1.jpg"\n'})
    expect(page.locator("#manifest-name")).to_contain_text("list.jsonl")
    page.get_by_label(add).fill("circle")
    page.get_by_label(add).press("Enter")
    page.locator("#start").click()
    for sentence in sentences:
        expect(page.locator("#start-note")).to_contain_text(sentence)
    expect(page.locator("#start-note")).not_to_contain_text("English")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (b"prompts: [", "第 1 行既不是 JSON，也不是 YAML。"),
        ("prompts: ['公交车,']".encode(), "“公交车,”中的逗号可能是另一个提示词的开头。"),
    ],
)
def test_a_spec_file_that_is_refused(
    desk: Desk, tmp_path: Path, spec: bytes, sentence: str
) -> None:
    page = desk.open("/batches/new", language="zh")
    file = tmp_path / "spec.yaml"
    file.write_bytes(spec)
    page.locator("#spec-file").set_input_files(file)
    expect(page.locator("#taken-over")).to_contain_text(sentence)


def test_the_password_that_is_too_short(desk: Desk) -> None:
    page = desk.open("/account", language="zh")
    problem = {"code": "password.length", "detail": "in English", "status": 422}
    problem["params"] = {"field": "password", "reason": "in English", "least": 12, "most": 256}
    page.route("**/session/password", lambda route: route.fulfill(json=problem, status=422))
    for name in ("old", "new", "again"):
        page.locator(f"#{name}").fill("short")
    page.locator("#password-form button").click()
    said_in("zh", page.locator("#password-note"), "密码须有 12 至 256 个字符")


_EXPLAIN = """async ([code, params]) => {
  const { explain, ApiError } = await import(document.querySelector('script[src$="pool.js"]').src
    .replace("pool.js", "api.js"));
  return explain(new ApiError(409, code, "a sentence", params));
}"""


@pytest.mark.parametrize(
    ("code", "params", "said"),
    [
        ("batch.ended", {"state": "done"}, "此批次已完成，无法再取消。"),
        # An earlier version wrote no parameters, and a later one may know other states.
        ("batch.ended", {}, "服务器拒绝了此请求（a sentence）。"),
        ("batch.ended", {"state": "asleep"}, "此批次asleep，无法再取消。"),
        ("of.later", {"state": "done"}, "服务器拒绝了此请求（a sentence）。"),
        (
            "token.rights",
            {"rights": ["users", "team"]},
            "您自己没有这些权限：用户、团队和审计日志、",
        ),
        (
            "worker.lacks",
            {"worker": "w", "model": "m", "lacks": ["tiles", "objects"]},
            "分块查看、框",
        ),
        ("predict.failed", {"kind": "cut_off"}, "文件不完整。请重新复制，再次选择。"),
        ("predict.failed", {"kind": "other"}, "模型无法给出结果（a sentence）。"),
        ("picture.failed", {"kind": "damaged"}, "图片已损坏。请重新复制或保存。"),
        ("too_large", {"limit": 4194304}, "内容过大，最多允许 4,194,304 字节。"),
        (
            "spec.refused",
            {"field": "name", "reason": "English", "unfit": "long", "count": 1200, "given": "'a'"},
            "name 未被接受：最多 1,200 个字符（输入为 'a'）",
        ),
        (
            "request.invalid",
            {"field": "tiles", "reason": "English", "unfit": "choice", "expected": ["off", "on"]},
            "tiles 未被接受：只能是以下之一：off、on",
        ),
        # A kind that a later server may know alone.
        (
            "request.invalid",
            {"field": "name", "reason": "is blue", "unfit": "colour"},
            "name 未被接受：is blue",
        ),
    ],
)
def test_parameters_are_said_in_the_pages_words(
    desk: Desk, code: str, params: dict[str, Any], said: str
) -> None:
    page = desk.open("/pool", language="zh")
    assert said in page.evaluate(_EXPLAIN, [code, params])

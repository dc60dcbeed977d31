"""The page about the API: every route of the description is on it, and nothing on it can run."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape

import pytest
from services.door import Door, routes

from web.access import right_of
from web.studio.api_page import Operation


@pytest.fixture(scope="module")
def door(lasting_door: Door) -> Door:
    return lasting_door


@pytest.fixture(scope="module")
def page(door: Door) -> str:
    answer = door.client.get("/api/docs")
    assert (answer.status_code, answer.headers["content-type"][:9]) == (200, "text/html")
    return answer.text


@pytest.fixture(scope="module")
def shown(door: Door, page: str) -> list[Operation]:
    del page  # it was made by then
    return list(door.client.app.state.operations)  # type: ignore[attr-defined]  # a FastAPI


def test_every_route_is_on_the_page_once_and_in_its_index(door: Door, page: str) -> None:
    described = door.client.app.openapi()["paths"]  # type: ignore[attr-defined]  # likewise
    wanted = {f"{method.upper()} {path}" for path, told in described.items() for method in told}
    headings = re.findall(r'<h3 id="h-([\w-]+)"><a href="#([\w-]+)"><b>(\w+)</b> ([^<]+)</a>', page)
    assert len(headings) == len(wanted) > 80
    assert {f"{method} {unescape(path)}" for _, _, method, path in headings} == wanted
    anchors = [anchor for anchor, _, _, _ in headings]
    assert len(set(anchors)) == len(anchors)
    for anchor in anchors:
        assert page.count(f'id="{anchor}"') == 1
        assert page.count(f'href="#{anchor}"') == 2, "in the index, and at the route itself"


def test_each_names_the_right_that_its_route_needs(door: Door, shown: list[Operation]) -> None:
    named = {f"{one.method} {one.path}": one.right for one in shown}
    for key, route in routes(door.client).items():
        needed = right_of(route)
        right = "" if needed is None or needed.right is None else str(needed.right)
        plain = re.sub(r":\w+\}", "}", key)
        assert named.get(plain, right) == right, key
    assert set(named.values()) > {"", "read", "submit", "export"}


def test_each_call_is_one_that_a_shell_reads_as_it_is_meant(shown: list[Operation]) -> None:
    for one in shown:
        words = shlex.split(one.curl.replace("\\\n", ""))
        assert words[0] == "curl"
        address = next(word for word in words if word.startswith("http://127.0.0.1:8080/"))
        assert re.sub(r"\$\{\w+\}", "{}", address).endswith(re.sub(r"\{\w+\}", "{}", one.path))
        assert ("Authorization: Bearer $MASKPOOL_TOKEN" in words) == bool(one.right)
        assert (words[2] if words[1] == "-X" else "GET") == one.method
        if one.body:
            assert json.loads(words[words.index("--json") + 1]) == json.loads(one.body)


def test_what_a_route_takes_and_gives_is_shown_by_example(
    shown: list[Operation], page: str
) -> None:
    [export] = [one for one in shown if (one.method, one.path) == ("POST", "/api/v1/exports")]
    # What may be left out and has no example is left out: 0 would be another question.
    assert json.loads(export.body).keys() >= {"batches", "format"}
    assert "threshold" not in json.loads(export.body)
    assert [status for status, _, _ in export.answers] == ["202"]
    assert json.loads(export.answers[0][2]).keys() == {"task"}
    assert "idempotency-key" in page
    for one in shown:
        for text in (one.body, *(answer for _, _, answer in one.answers)):
            assert not text or json.loads(text) is not None, one.path


def test_nothing_on_it_can_run(door: Door, page: str) -> None:
    policy = door.client.get("/api/docs").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert "script-src" not in policy
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", page)
    assert set(re.findall(r'(?:href|src)="(https?:[^"]+)"', page)) == set()


@pytest.mark.parametrize(("language", "word"), [("en", "Needs the right"), ("zh", "需要权限")])
def test_it_speaks_the_readers_language(door: Door, language: str, word: str) -> None:
    answer = door.client.get("/api/docs", headers={"accept-language": language})
    assert word in answer.text

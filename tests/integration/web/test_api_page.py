"""docs/API.md: every request on it is sent, and what it shows of an answer is in the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.door import Door, open_door
from services.plain_pool import PlainPool

from db.models import TaskRow
from producer.accounts.rights import Right

PAGE = (Path(__file__).parents[3] / "docs" / "API.md").read_text()
BLOCK = re.compile(
    r"```http\n(?P<ask>.*?)```"
    r"(?:\s*Refused with (?P<status>\d{3}))?"
    r"(?:\s*```json\n(?P<answer>.*?)```)?",
    re.DOTALL,
)
#: Rooms of the API that the page is about; accounts are told in SECURITY.md.
ROOMS = (
    *("batches", "exports", "glossary", "places", "pool", "predict", "predictions"),
    *("specs", "tasks", "trash"),
)
#: What a request makes, by the word that the page names it by.
MAKES = {
    "upload": "/uploads",
    "prediction": "/predict?wait=0&scale=view",
    "batch": "/batches",
    "task": "/exports",
}
#: They take a real picture, which test_pictures.py has; the page names them in a table.
PICTURES = ("thumbnail", "view", "original", "link")


@pytest.fixture
def door(sqlite_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(sqlite_url, tmp_path) as door:
        yield door


def fields(shown: Any, given: Any, where: str) -> None:
    """Each field of the page's answer is in the answer."""
    if isinstance(shown, dict) and isinstance(given, dict):
        for name, value in shown.items():
            assert name in given or not given, f"{where}: there is no {name} in {given}"
            if name in given:
                fields(value, given[name], f"{where}.{name}")
    elif isinstance(shown, list) and isinstance(given, list):
        for one, other in zip(shown, given, strict=False):
            fields(one, other, f"{where}[]")


def prepare(door: Door, ask: str, known: dict[str, str]) -> None:
    """What happens beside the page: workers work, the clerk writes."""
    if ask.startswith("GET /api/v1/batches/{batch}/counts"):
        PlainPool(door.pool.database, door.pool.store()).drain()
    if ask.startswith("GET /api/v1/tasks/{task}/files"):
        door.pool.store().put("exports/coco.json", b"{}")
        with door.pool.database.write() as session:
            task = session.get(TaskRow, UUID(known["task"]))
            assert task is not None
            made = {"name": "coco.json", "key": "exports/coco.json", "bytes": 2}
            task.result = {"files": [made]}


def send(door: Door, ask: str, known: dict[str, str], headers: dict[str, str]) -> Any:
    head, _, body = ask.partition("\n\n")
    for name, value in known.items():
        head, body = (text.replace(f"{{{name}}}", value) for text in (head, body))
    (method, path), *lines = (line.split(maxsplit=1) for line in head.splitlines())
    own = {name.rstrip(":"): value for name, value in lines}
    content = body.encode() if body.strip() else None
    if content and content.startswith(b"{"):
        own["content-type"] = "application/json"
    return door.client.request(method, path, headers={**headers, **own}, content=content)


def test_every_request_of_the_page_works(door: Door) -> None:
    headers = door.token("maker", *(right for right in Right if right != Right.USERS))
    known: dict[str, str] = {}
    for block in BLOCK.finditer(PAGE):
        ask = block["ask"]
        prepare(door, ask, known)
        answer = send(door, ask, known, headers)
        where = ask.splitlines()[0]
        if block["status"]:
            assert answer.status_code == int(block["status"]), (where, answer.text)
            continue
        assert answer.status_code < 300, (where, answer.text)
        if block["answer"]:
            fields(json.loads(block["answer"]), answer.json(), where)
        for word, path in MAKES.items():
            if where == f"POST /api/v1{path}":
                known.setdefault(word, answer.json().get("id") or answer.json()["task"])


def test_the_page_shows_each_route(door: Door) -> None:
    asked = {block["ask"].splitlines()[0] for block in BLOCK.finditer(PAGE)}
    plain = {re.sub(r"\?.*|[{}]", "", one) for one in asked}
    paths = door.client.app.openapi()["paths"]  # type: ignore[attr-defined]  # a FastAPI
    for path, methods in paths.items():
        if path.rpartition("/")[2] in PICTURES:
            assert f"`…/{path.rpartition('/')[2]}`" in PAGE
            continue
        if path.split("/")[3:4] and path.split("/")[3] in ROOMS:
            for method in methods:
                shape = re.sub(r"\\{[^}]+\\}", "[^ ]+", re.escape(f"{method.upper()} {path}"))
                assert any(re.fullmatch(shape, one) for one in plain), (method, path)

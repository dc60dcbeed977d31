"""Refusals that pages say in their reader's language: which code and which parameters come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.door import Door, open_door

from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from maskpool.domain import new_id
from producer.accounts import users
from producer.accounts.audit import Actor
from producer.accounts.rights import Right

PASSWORD = "a long enough password"


@pytest.fixture
def door(sqlite_url: str, tmp_path: Path) -> Iterator[Door]:
    """What is refused is refused as it is asked: the database makes no difference."""
    with open_door(sqlite_url, tmp_path, upload_files=3) as door:
        yield door


def asked(door: Door, method: str, path: str, **more: Any) -> tuple[int, str, dict[str, Any]]:
    """Status, code and parameters of a refusal."""
    headers = more.pop("headers", None) or door.token("maker", *Right)
    answer = door.client.request(method, f"/api/v1{path}", headers=headers, **more)
    assert answer.status_code >= 400, answer.text
    told = answer.json()
    return answer.status_code, told["code"], told["params"]


def upload(door: Door, *files: str) -> str:
    headers = door.token("maker", Right.UPLOAD)
    made = door.client.post("/api/v1/uploads", json={"name": "up"}, headers=headers).json()["id"]
    for name in files:
        url = f"/api/v1/uploads/{made}/files/{name}"
        assert door.client.put(url, content=name.encode(), headers=headers).status_code == 201
    return str(made)


def test_files_of_an_upload(door: Door) -> None:
    made = upload(door, "a.png", "b.png")
    path = f"/uploads/{made}/files"
    assert asked(door, "PUT", f"{path}/a.png", content=b"other") == (
        *(409, "upload.another"),
        {"name": "a.png"},
    )
    headers = door.token("maker", *Right)
    digest = headers | {"content-digest": f"sha-256=:{'A' * 43}=:"}
    wrong = asked(door, "PUT", f"{path}/d.png", content=b"x", headers=digest)
    assert wrong == (422, "upload.digest", {})
    assert door.client.put(f"/api/v1{path}/c.png", content=b"c", headers=headers).is_success
    assert asked(door, "PUT", f"{path}/d.png", content=b"x") == (422, "upload.full", {"limit": 3})
    status, code, params = asked(door, "PUT", f"{path}/.d.png", content=b"x")
    assert (status, code, params["name"]) == (422, "upload.name", ".d.png")
    body = {"spec": {"prompts": ["bus"]}, "source": {"uploads": [made]}}
    assert door.client.post("/api/v1/batches", json=body, headers=headers).status_code == 201
    assert asked(door, "DELETE", f"/uploads/{made}") == (409, "upload.used", {})
    assert asked(door, "DELETE", f"{path}/a.png") == (409, "upload.used", {})


@pytest.mark.parametrize(
    ("prompts", "code", "said"),
    [
        ([{"text": ""}], "prompt.empty", {}),
        ([{"text": "a b " * 20}], "prompt.long", {"text": ("a b " * 20).strip()}),
        (["car, not Car"], "prompt.same", {"text": "car"}),
        (["car, not bus, not bus"], "prompt.twice", {"text": "bus"}),
        (["caf\u00e9", "CAF\u00c9"], "prompt.alike", {"name": "CAF\u00c9", "other": "caf\u00e9"}),
        ([{"text": "car", "name": "c" * 201}], "prompt.name", {"limit": 200}),
        ([], "spec.nothing", {}),
    ],
)
def test_prompts_of_a_batch(
    door: Door, prompts: list[Any], code: str, said: dict[str, Any]
) -> None:
    body = {"spec": {"prompts": prompts}, "source": {"uploads": [upload(door, "a.png")]}}
    status, found, params = asked(door, "POST", "/batches", json=body)
    assert (status, found) == (422, code), params
    assert params["field"].startswith("prompts")
    assert params.items() >= said.items()


def test_a_prompt_of_one_image(door: Door) -> None:
    image = {"upload": upload(door, "a.png"), "file": "a.png"}
    long = {"text": "a b " * 20}
    status, code, params = asked(door, "POST", "/predict", json={**image, "prompts": [long]})
    assert (status, code, params["text"]) == (422, "prompt.long", long["text"].strip())
    huge = {"text": "a b " * 200_000}
    params = asked(door, "POST", "/predict", json={**image, "prompts": [huge]})[2]
    assert len(params["text"]) == 501, "a page shows no more"
    many = [{"text": f"thing {n}"} for n in range(33)]
    status, code, params = asked(door, "POST", "/predict", json={**image, "prompts": many})
    assert (status, code) == (422, "predict.prompts")
    assert (params["prompts"], params["limit"]) == (33, 32)
    assert asked(door, "POST", "/predict", json=image)[1] == "spec.nothing"
    other = {**image, "prompts": [{"text": "bus"}], "model": "never"}
    status, code, params = asked(door, "POST", "/predict", json=other)
    assert (status, code, params["model"]) == (422, "model.unknown", "never")


def test_passwords_and_tokens(door: Door) -> None:
    users.reset(door.pool, Actor(None, "test"), "maker", password=PASSWORD)
    cookie = door.cookie("maker")

    def change(old: str, new: str) -> tuple[int, str, dict[str, Any]]:
        body = {"old": old, "new": new}
        return asked(door, "PUT", "/session/password", json=body, headers=cookie)

    assert change("wrong", PASSWORD)[:2] == (422, "password.wrong")
    status, code, params = change(PASSWORD, "short")
    assert (status, code) == (422, "password.length")
    assert (params["least"], params["most"]) == (12, 256)
    own = {"name": "night", "rights": ["users"]}
    assert asked(door, "POST", "/tokens", json=own, headers=cookie) == (
        *(403, "token.rights"),
        {"rights": ["users"]},
    )
    by_token = asked(door, "POST", "/tokens", json={"name": "night", "rights": ["read"]})
    assert by_token == (403, "token.by_token", {})


def test_what_one_may_see_and_not_change(door: Door) -> None:
    body = {"spec": {"prompts": ["bus"]}, "source": {"uploads": [upload(door, "a.png")]}}
    headers = door.token("maker", *Right)
    batch = door.client.post("/api/v1/batches", json=body, headers=headers).json()["id"]
    refused = asked(door, "POST", f"/batches/{batch}/pause", headers=door.cookie("viewer"))
    assert refused == (403, "auth.right", {"right": "change"})


def test_lines_of_a_manifest_are_refusals_of_their_own(door: Door) -> None:
    lines = b'"a.png"\n"gone.png"\n"s3://others/1.jpg"\n"../../up.png"\n7\n"../%s"\n' % (
        b"x" * 9_000
    )
    made = upload(door, "a.png")
    headers = door.token("maker", *Right)
    url = f"/api/v1/uploads/{made}/files/list.jsonl"
    assert door.client.put(url, content=lines, headers=headers).status_code == 201
    source = {"manifest": {"upload": made, "file": "list.jsonl"}}
    body = {"spec": {"prompts": ["bus"]}, "source": source}
    task = door.client.post("/api/v1/batches", json=body, headers=headers).json()["task"]
    keeper = TaskKeeper(
        door.pool.database, new_id(), "here:1", lease_seconds=30.0, heartbeat_seconds=0.1
    )
    TaskRunner(door.pool, keeper).run(UUID(task))
    told = door.client.get(f"/api/v1/tasks/{task}", headers=headers).json()["problem"]
    assert (told["code"], told["params"]["refused"]) == ("manifest.lines", 5)
    *first, last = told["params"]["lines"]
    assert (last["code"], len(last["params"]["name"])) == ("manifest.outside", 501)
    found = {one["line"]: (one["code"], *one["params"].values()) for one in first}
    assert found == {
        2: ("manifest.gone", "gone.png"),
        3: ("place.bucket", "s3://others/1.jpg"),
        4: ("manifest.outside", "../../up.png"),
        5: ("source.refused",),
    }
    assert told["params"]["source"] == "list.jsonl"

"""A route passes over nothing of a request: no unknown parameter, nothing said twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from services.door import Door, open_door, routes
from services.door_routes import ROUTES

from producer.accounts.rights import Right
from web.router import StrictRoute

_JSON = {"content-type": "application/json"}

#: Behind the slash: pages, their files, and what load balancers ask; a link may carry more there.
API = "/api/v1/"


@pytest.fixture(scope="module")
def door(
    lasting_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Door, dict[str, str]]]:
    with open_door(lasting_database_url, tmp_path_factory.mktemp("door")) as door:
        yield door, door.token("admin", *Right)


def test_every_route_of_the_api_is_strict(door: tuple[Door, dict[str, str]]) -> None:
    lenient = {
        key
        for key, route in routes(door[0].client).items()
        if API in key and not isinstance(route, StrictRoute)
    }
    assert not lenient, "make its router a web.router.Router"


@pytest.mark.parametrize("key", [key for key in ROUTES if API in key and "{" not in key])
def test_an_unknown_parameter_is_refused(door: tuple[Door, dict[str, str]], key: str) -> None:
    method, path = key.split(" ")
    answer = door[0].client.request(method, f"{path}?limti=1", headers=door[1])
    assert (answer.status_code, answer.json()["code"]) == (422, "request.unknown")
    assert answer.json()["params"]["name"] == "limti"


def test_the_refusal_names_the_parameters_that_there_are(
    door: tuple[Door, dict[str, str]],
) -> None:
    client, headers = door[0].client, door[1]
    answer = client.get("/api/v1/uploads?before=7", headers=headers).json()
    assert answer["detail"] == "'before' is no parameter of this address; there is after, limit"
    assert answer["params"] == {"name": "before", "known": "after, limit"}
    none = client.get("/api/v1/pool?limit=7", headers=headers).json()
    assert none["detail"] == "'limit' is no parameter of this address; this address takes none"
    long = client.get(f"/api/v1/pool?{'x' * 5_000}=1", headers=headers).json()
    assert len(long["detail"]) < 200


def test_a_parameter_twice_is_refused_unless_it_is_a_list(
    door: tuple[Door, dict[str, str]],
) -> None:
    client, headers = door[0].client, door[1]
    answer = client.get("/api/v1/batches?limit=1&limit=2", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.twice")
    assert "'limit'" in answer.json()["detail"]
    several = client.get("/api/v1/batches?state=active&state=done", headers=headers)
    assert several.status_code == 200


def test_pages_and_health_take_any(door: tuple[Door, dict[str, str]]) -> None:
    for path in (
        "/try?from=mail",
        "/api/docs?from=mail",
        "/healthz?x=1",
        "/login?why=link&why=link",
    ):
        assert door[0].client.get(path).status_code < 400, path


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"name": "a", "name": "b"}', "name"),
        ('{"name": "a", "name": "a"}', "name"),
        ('{"x": [1, {"deep": {"y": 1, "z": 2, "y": 3}}]}', "y"),
        ('{"a": 1, "\\u0061": 2}', "a"),
    ],
)
def test_a_key_twice_is_refused(door: tuple[Door, dict[str, str]], body: str, name: str) -> None:
    answer = door[0].client.post("/api/v1/uploads", content=body, headers=_JSON | door[1])
    assert (answer.status_code, answer.json()["code"]) == (422, "request.twice")
    assert answer.json()["params"] == {"name": name}
    assert repr(name) in answer.json()["detail"]


def test_nothing_was_made_of_it(door: tuple[Door, dict[str, str]]) -> None:
    client, headers = door[0].client, _JSON | door[1]
    before = client.get("/api/v1/uploads", headers=headers).json()
    client.post("/api/v1/uploads", content='{"name": "a", "name": "b"}', headers=headers)
    assert client.get("/api/v1/uploads", headers=headers).json() == before


def test_bodies_that_are_no_json_are_refused_as_before(
    door: tuple[Door, dict[str, str]],
) -> None:
    client, headers = door[0].client, _JSON | door[1]
    for body in ("{", "[" * 100_000, '{"name": "a" "b"}'):
        answer = client.post("/api/v1/uploads", content=body, headers=headers)
        assert answer.status_code in {400, 422}
        assert answer.json()["code"] in {"request.invalid", "http"}
    made = client.post("/api/v1/uploads", content=json.dumps({"name": "ok"}), headers=headers)
    assert made.status_code == 201

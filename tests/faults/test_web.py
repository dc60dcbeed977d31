"""The web server killed, restarted one by one, and left alone by each service it stands on."""

from __future__ import annotations

import hashlib
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pytest
from faults.conftest import built_world
from faults.door import PATIENCE_SECONDS, Door, open_door
from faults.orders import Orders, effects, judge
from faults.sizes import IS_FULL, Sizes
from faults.world import SEED, Report, World
from services.faulty_s3 import Fault, FaultyS3, faulty_s3
from services.s3_server import S3Server

from maskpool.failpoints import PLACES
from producer import uploads
from storage.objects import keys

#: Beside the two servers' own.
CLIENTS = 3


@pytest.fixture(scope="module")
def proxy(s3_server: S3Server) -> Iterator[FaultyS3]:
    with faulty_s3(s3_server.endpoint_url, seed=SEED) as proxy:
        yield proxy


@pytest.fixture(scope="module", params=["team", "embedded"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Of nobody but the web: what it acknowledges are rows and objects."""
    profile, more = request.param, {}
    if profile == "team":
        proxy: FaultyS3 = request.getfixturevalue("proxy")
        s3_server: S3Server = request.getfixturevalue("s3_server")
        more = {
            "store_url": f"s3://{s3_server.create_bucket()}/pool",
            "told": {"MASKPOOL_S3_ENDPOINT_URL": proxy.url},
        }
    with built_world(profile, tmp_path_factory.mktemp(f"web-{profile}"), **more) as one:
        yield one


@pytest.fixture(scope="module")
def door(world: World) -> Iterator[Door]:
    with open_door(world) as one:
        yield one


@pytest.fixture(autouse=True)
def _told_once(door: Door) -> None:
    """What one test did to the servers is no other's fault."""
    door.planned.clear()
    door.forget_deaths()


@dataclass
class Brought:
    """What a client brought and what it was told, through whichever server was there."""

    door: Door
    upload: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    reads: int = 0
    #: Requests that a server took and never answered.
    dropped: list[str] = field(default_factory=list)

    def read(self, client: httpx.Client, rng: random.Random) -> None:
        self._ask(client, rng, "GET", f"/api/v1/uploads/{self.upload}")
        self.reads += 1

    def bring(self, client: httpx.Client, rng: random.Random) -> None:
        content = rng.randbytes(rng.randrange(1, 20_000))
        name = f"{hashlib.sha256(content).hexdigest()}.jpg"
        answer = self._ask(
            client, rng, "PUT", f"/api/v1/uploads/{self.upload}/files/{name}", content
        )
        self.acknowledged[name] = answer.json()["sha256"]

    def _ask(
        self,
        client: httpx.Client,
        rng: random.Random,
        method: str,
        path: str,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Only a refused connection, or a refusal that says so, makes it try the other one."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            server = rng.choice(self.door.servers)
            try:
                answer = client.request(method, server.url + path, content=content)
            except httpx.ConnectError:
                continue
            except httpx.TransportError as error:
                self.dropped.append(f"{method}: {type(error).__name__} {error}")
                continue
            if answer.status_code == 503:
                continue
            assert answer.status_code < 300, answer.text
            return answer
        raise AssertionError(f"nobody answered; {self.door.last_words()}")

    def check(self) -> None:
        """Every acknowledged file has a row and its very bytes."""
        upload_id = UUID(self.upload)
        found = uploads.find(self.door.pool, self.door.ann, upload_id)
        noted = {
            one.name: one.sha256
            for one in uploads.files(self.door.pool, found, after="", limit=10**6)
        }
        assert self.acknowledged.items() <= noted.items()
        for name, sha256 in self.acknowledged.items():
            lies = self.door.world.store.get(keys.upload_object(upload_id, name))
            assert hashlib.sha256(lies).hexdigest() == sha256


@pytest.mark.usefixtures("at_full_size_or_team")
def test_web_servers_are_killed(door: Door, sizes: Sizes, report: Report) -> None:
    """kill -9 a web server under clients that order batches, at random and at each named step."""
    orders, rng = Orders(door), random.Random(SEED)
    places = [one for one in PLACES if one.startswith("request.")] * sizes.deaths_a_step
    with door.clients(*[orders.order] * CLIENTS):
        for number in range(sizes.web_kills):
            time.sleep(rng.uniform(0.0, 0.5))
            server = door.servers[number % 2]
            if number == sizes.web_kills - 2:  # each of the two dies once more by these hands
                door.planned = [f"{place}=kill@{rng.randint(1, 3)}" for place in places]
            door.arm(server)
            server.kill()
            if not door.planned:
                report.recovery.append(door.until(server.answers, "the web server"))
        door.until(
            lambda: _own_deaths(door) >= len(places), "a death at each step", 60 * len(places)
        )
        door.until(lambda: all(one.answers() for one in door.servers), "the web servers")
    report.injected = sizes.web_kills + _own_deaths(door)
    assert door.forget_deaths() == [-signal.SIGKILL] * len(places)
    judge(report, orders.told, orders.given_up, effects(door.world.database))
    replayed = sum(len(answers) > 1 for answers in orders.told.values())
    report.note = (
        f"{orders.unanswered} tries without an answer, {replayed} orders sent again behind their "
        f"answer, {len(orders.given_up)} given up; until it listened"
    )
    assert orders.unanswered
    assert {answers[0][0] for answers in orders.told.values()} == {201, 202}
    assert replayed


def _own_deaths(door: Door) -> int:
    return sum(len(one.own_deaths) for one in door.servers)


def test_a_rolling_restart_drops_nothing(door: Door, sizes: Sizes, report: Report) -> None:
    """SIGTERM each web server, one after the other, under clients that read and write."""
    if door.world.profile == "team" and not IS_FULL:
        pytest.skip("on Postgres and S3 in `make faults` only")
    with door.client() as client:
        made = client.post(f"{door.servers[0].url}/api/v1/uploads", json={"name": "rolled"})
    brought = Brought(door, made.json()["id"])
    with door.clients(*[brought.read] * CLIENTS, *[brought.bring] * CLIENTS):
        for _ in range(sizes.rolls):
            for server in door.servers:
                time.sleep(0.3)
                asked = time.monotonic()
                server.send(signal.SIGTERM)
                assert server.wait() == 0
                report.recovery.append(time.monotonic() - asked)
                server.start()
                door.until(server.answers, "the server that was started again")
                report.injected += 1
    report.jobs = brought.reads + len(brought.acknowledged)
    report.note = f"{len(brought.acknowledged)} files brought, {brought.reads} reads; ended within"
    assert brought.dropped == []
    assert min(brought.reads, len(brought.acknowledged)) > 10
    brought.check()
    assert door.forget_deaths() == []


def _problem(door: Door, method: str, path: str, **words: object) -> dict[str, object]:
    with door.client() as client:
        answer = client.request(method, door.servers[0].url + path, **words)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    problem = answer.json()
    assert problem["code"] == "service.away"
    return problem


def _is_fine(door: Door, path: str) -> bool:
    with door.client() as client:
        return client.get(door.servers[0].url + path).status_code == 200


def test_the_database_goes_away(door: Door, sizes: Sizes, report: Report) -> None:
    """Postgres stopped under the web server."""
    if door.world.postgres is None:
        pytest.skip("SQLite has no server to stop")
    for _ in range(sizes.outages):
        assert _is_fine(door, "/api/v1/batches")
        door.world.stop_postgres()
        for method, path, words in (
            ("GET", "/api/v1/batches", {}),
            ("POST", "/api/v1/uploads", {"json": {"name": "nowhere"}}),
        ):
            problem = _problem(door, method, path, **words)
            assert problem["params"] == {"service": "the database"}
        _readiness(door, {"database"})
        door.world.start_postgres()
        report.injected += 1
        report.recovery.append(door.until(lambda: _is_fine(door, "/api/v1/batches"), "the web"))
        _readiness(door, set())
    with door.client() as client:
        listed = client.get(f"{door.servers[0].url}/api/v1/uploads").json()["uploads"]
    assert "nowhere" not in {one["name"] for one in listed}, "refused, and done nevertheless"
    assert door.forget_deaths() == []


def test_redis_goes_away(door: Door, sizes: Sizes, report: Report) -> None:
    """Redis killed under the web server."""
    for _ in range(sizes.outages):
        port = door.world.redis.port
        door.world.redis.process.kill()
        door.world.redis.process.wait()
        _readiness(door, {"redis"})
        # Rows are the truth: what needs no Redis goes on, and a batch that is changed wakes nobody.
        assert _is_fine(door, "/api/v1/batches")
        with door.client() as client:
            made = client.post(f"{door.servers[0].url}/api/v1/uploads", json={"name": "noted"})
            assert made.status_code == 201, made.text
            path = f"{door.servers[0].url}/api/v1/uploads/{made.json()['id']}"
            assert client.delete(path).status_code == 202
        door.world.restart_redis(0.0)
        assert door.world.redis.port == port
        report.injected += 1
        report.recovery.append(door.until(lambda: _is_fine(door, "/readyz"), "the web"))
    assert door.forget_deaths() == []


def test_the_store_goes_away(
    door: Door, request: pytest.FixtureRequest, sizes: Sizes, report: Report
) -> None:
    """S3 resets every connection of the web server."""
    if door.world.postgres is None:
        pytest.skip("its store is a folder")
    proxy: FaultyS3 = request.getfixturevalue("proxy")
    with door.client() as client:
        made = client.post(f"{door.servers[0].url}/api/v1/uploads", json={"name": "late"})
    path = f"/api/v1/uploads/{made.json()['id']}/files"
    for number in range(sizes.outages):
        name, content = f"{number}.jpg", random.Random(number).randbytes(100_000)
        with proxy.hurting({Fault.RESET_BEFORE: 1.0}):
            problem = _problem(door, "PUT", f"{path}/{name}", content=content)
            assert str(problem["params"]).startswith("{'service': 'the object store s3://")
            with door.client() as client:
                assert client.get(door.servers[0].url + path).json()["files"] == []
        report.injected += 1

        def is_back(name: str = name, content: bytes = content) -> bool:
            with door.client() as client:
                url = f"{door.servers[0].url}{path}/{name}"
                return client.put(url, content=content).status_code == 201

        report.recovery.append(door.until(is_back, "the web"))
        with door.client() as client:
            assert client.delete(f"{door.servers[0].url}{path}/{name}").status_code == 204
    assert door.forget_deaths() == []


def _readiness(door: Door, missing: set[str]) -> None:
    with door.client() as client:
        answer = client.get(f"{door.servers[0].url}/readyz")
    assert answer.status_code == (503 if missing else 200)
    assert set(answer.json()["missing"]) == missing

"""Web images that redirect: a worker, small pictures and exports go by the grants of the team.

The servers are real, on two addresses of loopback; the batch comes through the door.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr
from services.door import Door, open_door
from services.web_server import WebServer, web_server
from sqlalchemy import select, update

from db import granted_hosts
from db.models import BatchRow, JobRow
from maskpool import rle
from maskpool.domain import ChunkMessage, Found, JobState
from maskpool.fineness import Fineness
from maskpool.ports import Answer, Request
from maskpool.ports import Image as Pixels
from producer.accounts import grants
from producer.accounts.audit import Actor
from producer.accounts.rights import Right
from producer.accounts.teams import find
from producer.dispatch.tick import tick
from producer.export import export
from workers import process
from workers.engine.engine import Engine
from workers.process import Models, WorkerProcess

OTHER = "127.0.0.2"


class Everything:
    """Finds the whole image."""

    def segment(self, requests: Sequence[Request[Pixels]]) -> list[Answer]:
        return [Answer([self._all(request.image)]) for request in requests]

    def _all(self, image: Pixels) -> Found:
        height, width = image.shape[:2]
        mask = rle.encode(np.ones((height, width), np.bool_))
        return Found(0, 0.9, (0.0, 0.0, float(width), float(height)), mask)

    def similarities(self, crops: Sequence[Pixels], texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(crops), len(texts)), np.float32)


@pytest.fixture
def door(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Door]:
    known = {
        "redis_url": SecretStr(redis_url),
        "source_hosts": ("127.0.0.1", OTHER),
        "source_networks": (ip_network("127.0.0.0/8"),),
        "picture_processes": 1,
    }
    with open_door(database_url, tmp_path, **known) as door:
        allow(door, "127.0.0.1")
        yield door


def allow(door: Door, host: str) -> None:
    grants.grant(door.pool, Actor(None, "test"), find(door.pool, "cats"), "host", host)


def take_back(door: Door) -> None:
    """What ``OTHER`` was allowed."""
    team = find(door.pool, "cats")
    [granted] = [one for one in grants.listing(door.pool, team.id) if one.place == OTHER]
    grants.take_back(door.pool, Actor(None, "test"), team, granted.id)


@pytest.fixture
def worker(door: Door) -> Iterator[WorkerProcess]:
    fake = Everything()
    models = Models(Engine(fake, fake, micro_batch=2).start(), "cpu", "a fake")
    member = process.start(door.pool.settings, load=lambda _: models)
    yield member
    member.leases.drain()
    member.close()


@pytest.fixture
def site() -> Iterator[WebServer]:
    """Its pictures lie on another address, where it leads whoever asks for them."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 200, 9)).save(buffer, "PNG")
    with web_server() as site, web_server(OTHER) as other:
        for server in (site, other):
            server.page("/own.png", buffer.getvalue())
        away = other.url("/own.png", OTHER)
        site.pages["/away.png"] = lambda handler: handler.say(302, Location=away)
        site.pages["/near.png"] = lambda handler: handler.say(302, Location="/own.png")
        yield site


def batch_of(door: Door, site: WebServer, *, team: bool = True) -> UUID:
    images = [site.url(path, "127.0.0.1") for path in ("/own.png", "/near.png", "/away.png")]
    body = {"spec": {"prompts": ["all"]}, "source": {"images": images}}
    headers = door.token("maker", Right.SUBMIT)
    made = door.client.post("/api/v1/batches", json=body, headers=headers)
    assert made.status_code == 201, made.text
    batch = UUID(made.json()["id"])
    if not team:  # as the command line makes one
        with door.pool.database.write() as session:
            session.execute(update(BatchRow).where(BatchRow.id == batch).values(team_id=None))
    return batch


def annotated(door: Door, worker: WorkerProcess, batch: UUID) -> dict[str, tuple[JobState, str]]:
    messages: list[ChunkMessage] = []
    tick(door.pool.database, messages.extend)
    for message in messages:
        worker.pipeline.run(message)
    tick(door.pool.database, messages.extend)
    with door.pool.database.read() as session:
        ended = session.execute(
            select(JobRow.name, JobRow.state, JobRow.error).where(JobRow.batch_id == batch)
        )
        return {
            name.rpartition("/")[2]: (JobState(state), error or "") for name, state, error in ended
        }


def test_a_worker_is_not_led_where_the_team_may_not_read(
    door: Door, worker: WorkerProcess, site: WebServer
) -> None:
    ended = annotated(door, worker, batch_of(door, site))
    assert [ended[name][0] for name in ("own.png", "near.png")] == [JobState.DONE] * 2
    state, error = ended["away.png"]
    assert state == JobState.FAILED, "at once: no later try would be led elsewhere"
    assert f"/away.png redirects to {OTHER}, where this batch's team may not read" in error


def test_a_worker_is_led_where_the_team_may_read(
    door: Door, worker: WorkerProcess, site: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granted_hosts, "_KEPT_SECONDS", 0.0)
    allow(door, OTHER)
    ended = annotated(door, worker, batch_of(door, site))
    assert set(ended.values()) == {(JobState.DONE, "")}


def test_a_batch_of_no_team_goes_by_the_workers_settings_alone(
    door: Door, worker: WorkerProcess, site: WebServer
) -> None:
    ended = annotated(door, worker, batch_of(door, site, team=False))
    assert set(ended.values()) == {(JobState.DONE, "")}


def test_small_pictures_go_by_the_grants_too(door: Door, site: WebServer) -> None:
    batch = batch_of(door, site)
    headers = door.token("maker", Right.READ)

    def thumbnail(seq: int) -> tuple[int, str]:
        url = f"/api/v1/batches/{batch}/images/{seq}/thumbnail"
        answer = door.client.get(url, headers=headers)
        return answer.status_code, "" if answer.is_success else answer.json()["detail"]

    assert thumbnail(1) == (200, "")
    status, detail = thumbnail(2)
    assert status == 422, detail
    assert "team may not read" in detail
    allow(door, OTHER)
    assert thumbnail(2) == (200, "")


def test_an_export_that_looks_at_pictures_goes_by_the_grants(
    door: Door, worker: WorkerProcess, site: WebServer, tmp_path: Path
) -> None:
    allow(door, OTHER)
    batch = batch_of(door, site)
    assert set(annotated(door, worker, batch).values()) == {(JobState.DONE, "")}
    take_back(door)
    written = export(
        door.pool, [str(batch)], tmp_path / "out.json", refine=Fineness.HIGH, processes=1
    )
    [unseen] = written.finer.named
    assert "team may not read" in unseen.reason


def test_masks_that_are_looked_at_go_by_the_grants(
    door: Door, worker: WorkerProcess, site: WebServer
) -> None:
    allow(door, OTHER)
    batch = batch_of(door, site)
    assert set(annotated(door, worker, batch).values()) == {(JobState.DONE, "")}

    def unseen() -> dict[str, object] | None:
        url = f"/api/v1/batches/{batch}/images/2"
        headers = door.token("maker", Right.READ)
        answer = door.client.get(url, params={"refine": "high"}, headers=headers)
        assert answer.status_code == 200, answer.text
        shown: dict[str, object] | None = answer.json()["refined"]["unseen"]
        return shown

    take_back(door)
    refused = unseen()
    assert refused is not None
    assert "team may not read" in str(refused["sentence"])
    allow(door, OTHER)
    assert unseen() is None

"""How far grants, tokens and streams reach: real places, real processes, and their ends."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from services.door import Door, open_door
from services.process import free_port
from services.web_server import WebServer, web_server
from sqlalchemy import update

from db.models import TokenRow
from producer.accounts import authenticate, grants
from producer.accounts.audit import Actor
from producer.accounts.rights import Right
from producer.accounts.teams import find
from producer.predict import MAX_IN_FLIGHT
from storage.objects.s3 import make_client

#: Within which what is revoked ends, and what a busy machine may add.
_REVOKED_SECONDS, _SLACK_SECONDS = 5.0, 5.0

_BUFFER = io.BytesIO()
Image.new("RGB", (8, 6)).save(_BUFFER, "PNG")
PNG = _BUFFER.getvalue()


def submit(door: Door, *images: str) -> Any:
    headers = door.token("maker", Right.SUBMIT, Right.READ)
    body = {"spec": {"prompts": ["bus"]}, "source": {"images": images}}
    return door.client.post("/api/v1/batches", json=body, headers=headers)


def thumbnail(door: Door, batch: str) -> Any:
    url = f"/api/v1/batches/{batch}/images/0/thumbnail"
    return door.client.get(url, headers=door.token("maker", Right.READ))


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as site:
        site.page("/a.png", PNG)
        yield site


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("/a.png", ""),
        ("http://other.test/a.png", "redirects to another host"),
        # The settings allow that host, but its team was not granted it.
        ("http://127.0.0.9:{port}/a.png", "127.0.0.9, where this batch's team may not read"),
    ],
)
def test_a_granted_host_leads_nowhere_else(
    sqlite_url: str, tmp_path: Path, site: WebServer, to: str, why: str
) -> None:
    told = {"source_hosts": "127.0.0.1,127.0.0.9", "source_networks": "127.0.0.1/32"}
    target = to.format(port=site.port)
    site.pages["/moved.png"] = lambda handler: handler.say(302, Location=target)
    with open_door(sqlite_url, tmp_path, **told, picture_processes=1) as door:
        grants.grant(door.pool, Actor(None, "test"), find(door.pool, "cats"), "host", "127.0.0.1")
        made = submit(door, f"http://127.0.0.1:{site.port}/moved.png")
        assert made.status_code == 201, made.text
        answer = thumbnail(door, made.json()["id"])
        if why:
            assert answer.status_code == 422, answer.text
            assert why in answer.json()["detail"]
        else:
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        refused = submit(door, f"http://127.0.0.9:{site.port}/a.png")
        assert (refused.status_code, refused.json()["code"]) == (422, "place.host")


def test_a_granted_prefix_of_a_real_bucket_is_read_and_no_other(
    sqlite_url: str, tmp_path: Path, s3_bucket: tuple[str, str]
) -> None:
    endpoint, bucket = s3_bucket
    for key in ("2026/a.png", "2025/a.png"):
        make_client(endpoint).put_object(Bucket=bucket, Key=key, Body=PNG)
    told = {"source_buckets": (bucket,), "s3_endpoint_url": endpoint, "picture_processes": 1}
    with open_door(sqlite_url, tmp_path, **told) as door:
        team = find(door.pool, "cats")
        grants.grant(door.pool, Actor(None, "test"), team, "bucket", f"{bucket}/2026")
        made = submit(door, f"s3://{bucket}/2026/a.png")
        assert (made.status_code, made.json()["total"]) == (201, 1), made.text
        batch = made.json()["id"]
        assert thumbnail(door, batch).status_code == 200
        original = door.client.get(
            f"/api/v1/batches/{batch}/images/0/original", headers=door.token("maker", Right.READ)
        )
        assert original.content == PNG
        # Its owner may change it: two parts might be of two pictures.
        assert "accept-ranges" not in original.headers
        refused = submit(door, f"s3://{bucket}/2025/a.png")
        assert (refused.status_code, refused.json()["code"]) == (422, "place.bucket")


def test_a_token_that_expires_in_use_counts_no_longer_than_five_seconds(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(authenticate.time, "monotonic", lambda: now[0])
    with open_door(sqlite_url, tmp_path) as door:
        headers = door.token("maker", Right.READ)

        def status() -> int:
            return door.client.get("/api/v1/batches", headers=headers).status_code

        assert status() == 200
        with door.pool.database.write() as session:
            session.execute(update(TokenRow).values(expires_at=1))
        now[0] += _REVOKED_SECONDS - 0.1
        assert status() == 200, "its row is not read for each request"
        now[0] += 0.2
        assert status() == 401


def test_tokens_of_one_user_share_what_may_be_in_flight(sqlite_url: str, tmp_path: Path) -> None:
    with open_door(sqlite_url, tmp_path) as door:
        mine = door.token("maker", Right.UPLOAD)
        upload = door.client.post("/api/v1/uploads", json={}, headers=mine).json()["id"]
        url = f"/api/v1/uploads/{upload}/files/a.png"
        assert door.client.put(url, content=PNG, headers=mine).status_code == 201

        def ask(text: str) -> Any:
            body = {"upload": upload, "file": "a.png", "prompts": [{"text": text}]}
            new = door.token("maker", Right.PREDICT)
            return door.client.post("/api/v1/predict?wait=0", json=body, headers=new)

        asked = [ask(f"bus {number}").status_code for number in range(MAX_IN_FLIGHT)]
        assert asked == [202] * MAX_IN_FLIGHT
        refused = ask("car")
        assert (refused.status_code, refused.json()["code"]) == (429, "predict.in_flight")


@contextmanager
def served(environment: dict[str, str], home: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A web server of its own process: its address, and a function that waits until it answers."""
    home.mkdir()
    port = free_port()
    told = {"MASKPOOL_HOME": str(home), "MASKPOOL_SERVE_ADDRESS": f"127.0.0.1:{port}"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer.cli", "serve"],
            env={**os.environ, **environment, **told},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert process.poll() is None, (home / "log").read_text()
            with suppress(httpx.TransportError):
                if httpx.get(f"{url}/healthz", timeout=5).status_code == 204:
                    return
            time.sleep(0.05)
        raise AssertionError(f"nobody answers: {(home / 'log').read_text()}")

    try:
        yield url, wait
    finally:
        process.terminate()
        process.wait(30)


def test_streams_end_when_another_process_revokes(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "door").mkdir()
    with open_door(sqlite_url, tmp_path / "door") as door, ExitStack() as open_things:
        told = {
            "MASKPOOL_DATABASE_URL": sqlite_url,
            "MASKPOOL_STORE_URL": (tmp_path / "door" / "store").as_uri(),
            "MASKPOOL_REDIS_URL": "redis://127.0.0.1:1/0",
        }
        servers = [
            open_things.enter_context(served(told, tmp_path / name)) for name in ("one", "other")
        ]
        for _, wait in servers:
            wait()
        (one, _), (other, _) = servers
        by_token, by_cookie = door.token("maker", Right.READ), door.cookie("maker")
        listening = []
        for headers in (by_token, by_cookie):
            client = open_things.enter_context(httpx.Client(timeout=30))
            answer = open_things.enter_context(
                client.stream("GET", f"{one}/api/v1/events", headers=headers)
            )
            assert answer.status_code == 200, headers
            lines = answer.iter_lines()
            next(lines)
            listening.append(lines)

        with httpx.Client(base_url=other, headers=by_cookie, timeout=30) as maker:
            mine = maker.get("/api/v1/tokens").json()
            began = time.monotonic()
            for token in mine:
                assert maker.delete(f"/api/v1/tokens/{token['id']}").status_code == 204
            assert maker.delete("/api/v1/session").status_code == 204
        for lines in listening:
            for _ in lines:
                pass
        assert time.monotonic() - began < _REVOKED_SECONDS + _SLACK_SECONDS
        # And neither counts at the process that did not revoke them.
        for headers in (by_token, by_cookie):
            assert httpx.get(f"{one}/api/v1/batches", headers=headers).status_code == 401

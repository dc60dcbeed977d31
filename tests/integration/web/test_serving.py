"""What every answer has in common: Hosts, headers, a prefix, and where the client is."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from services.door import open_door
from starlette.testclient import TestClient

from maskpool.settings import Settings
from web.hosts import Hosts
from web.place import Place

PUBLIC = "https://masks.example.org/pool"
SPECIFICATION = "/api/v1/openapi.json"


def test_other_hosts_are_not_answered(sqlite_url: str, tmp_path: Path) -> None:
    with open_door(sqlite_url, tmp_path) as door:
        assert door.client.get(SPECIFICATION).status_code == 200
        refused = door.client.get(SPECIFICATION, headers={"host": "evil.org"})
        assert (refused.status_code, refused.json()["code"]) == (421, "host")
        assert door.client.get("/healthz", headers={"host": "10.0.0.7"}).status_code == 204


@pytest.mark.parametrize("path", ["/healthz", SPECIFICATION, "/nothing", "/api/v1/batches"])
def test_every_answer_has_strict_headers(sqlite_url: str, tmp_path: Path, path: str) -> None:
    with open_door(sqlite_url, tmp_path) as door:
        headers = door.client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in headers
    assert "server" not in headers


@pytest.mark.parametrize("prefix", ["", "/pool"])
def test_a_proxy_may_strip_the_prefix_or_keep_it(
    sqlite_url: str, tmp_path: Path, prefix: str
) -> None:
    with open_door(sqlite_url, tmp_path, public_url=PUBLIC) as door:
        host = {"host": "masks.example.org", "x-forwarded-proto": "http"}
        answer = door.client.get(f"{prefix}{SPECIFICATION}", headers=host)
        assert answer.status_code == 200
        assert answer.json()["servers"] == [{"url": "/pool"}]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        missing = door.client.get(f"{prefix}/api/v1/batches", headers=host)
        assert missing.status_code == 401


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "10.0.0.1", "203.0.113.9"),
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "198.51.100.1, 203.0.113.9, 10.1.2.4", "203.0.113.9"),
        ("10.1.2.3", "198.51.100.1, nonsense", "10.1.2.3"),
        ("10.1.2.3", "", "10.1.2.3"),
    ],
)
def test_only_proxies_are_believed(peer: str, forwarded: str, client: str) -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    hosts = Hosts(app, Place.of(Settings()), (ip_network("10.1.0.0/16"),))
    asking = TestClient(hosts, base_url="http://localhost:8080", client=(peer, 1))
    asking.get("/x", headers={"x-forwarded-for": forwarded, "x-forwarded-host": "evil.org"})
    assert seen["client"][0] == client
    assert seen["scheme"] == "http"

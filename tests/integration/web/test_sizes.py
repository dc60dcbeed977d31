"""A body that is held in memory is bounded, whoever sends it; files are read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from services.door import open_door

_MOST = 4 * 1024 * 1024

#: Of a batch, which may list many addresses.
_MOST_OF_A_LIST = 16 * 1024 * 1024

_JSON = {"content-type": "application/json"}


def in_pieces(size: int) -> Iterator[bytes]:
    """Its length is not said: it is sent in chunks."""
    for _ in range(size // 65_536):
        yield b" " * 65_536


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/v1/session", _MOST),
        ("/api/v1/batches", _MOST_OF_A_LIST),
        ("/api/v1/specs", _MOST),
    ],
)
def test_a_larger_body_is_refused_before_anybody_is_asked_who_sends_it(
    sqlite_url: str, tmp_path: Path, path: str, most: int
) -> None:
    with open_door(sqlite_url, tmp_path) as door:
        for body in (b" " * (most + 1), in_pieces(2 * most)):
            answer = door.client.post(path, content=body, headers=_JSON)
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
            assert f"{most:,} bytes" in answer.json()["detail"]
            assert answer.headers["x-content-type-options"] == "nosniff"
        smaller = door.client.post(path, content=in_pieces(most // 2), headers=_JSON)
        assert smaller.status_code == 422, "it is no JSON"


@pytest.mark.parametrize("prefix", ["", "/pool"])
def test_a_file_may_be_larger(sqlite_url: str, tmp_path: Path, prefix: str) -> None:
    public = {"public_url": f"http://127.0.0.1:8080{prefix}"}
    with open_door(sqlite_url, tmp_path, **public) as door:
        url = f"{prefix}/api/v1/uploads/01a22000-0000-7000-8000-000000000001/files/a.jpg"
        answer = door.client.put(url, content=b" " * (_MOST + 1))
        assert answer.status_code == 401, "it was asked who sends it"

"""Somebody who knows of a pool its address and the description of its API, and has a token."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

#: Of one answer, on a machine that does much else.
_PATIENCE_SECONDS = 120.0


@dataclass
class Stranger:
    """One client; whatever it asks must stand in the description."""

    url: str
    token: str
    description: dict[str, Any] = field(init=False, repr=False)
    client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {self.token}"},
            timeout=_PATIENCE_SECONDS,
        )
        self.description = self.client.get("/api/v1/openapi.json").json()

    def close(self) -> None:
        """Hang up."""
        self.client.close()

    def ask(self, words: str, *, expect: int | tuple[int, ...] = (), **more: Any) -> httpx.Response:
        """Send a request that the description has; its answer must be described there, too.

        Args:
            words: Method and path, with the names of its parameters.
            expect: Statuses; none: any below 400.
            more: The path's parameters by name; the rest is httpx's.
        """
        method, path = words.split(" ")
        operation = self.description["paths"][path][method.lower()]
        names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        answer = self.client.request(
            method, path.format(**{name: more.pop(name) for name in names}), **more
        )
        status = str(answer.status_code)
        assert {status, f"{status[0]}XX"} & set(operation["responses"]), (words, answer.text)
        wanted = (expect,) if isinstance(expect, int) else expect
        fine = answer.status_code in wanted if wanted else answer.status_code < 400
        assert fine, (words, answer.status_code, answer.text)
        return answer

    def events(self) -> Generator[list[dict[str, Any]]]:
        """The batches that each event tells of, until the server ends the stream.

        Also once more, as they were, where the server says that there is nothing new.
        """
        batches: list[dict[str, Any]] = []
        assert "/api/v1/events" in self.description["paths"]
        with self.client.stream("GET", "/api/v1/events") as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    batches = json.loads(line.removeprefix("data: "))["batches"]
                if line.startswith(("data: ", ": ")):
                    yield batches

    def upload(self, folder: Path) -> str:
        """Bring the JPEGs of a folder and of those in it; returns the upload's id."""
        upload = str(self.ask("POST /api/v1/uploads", json={"name": folder.name}).json()["id"])
        for file in sorted(folder.rglob("*.jpg")):
            self.ask(
                "PUT /api/v1/uploads/{upload_id}/files/{name}",
                upload_id=upload,
                name=file.relative_to(folder).as_posix(),
                content=file.read_bytes(),
            )
        return upload


@contextmanager
def logged_in_by_link(link: str) -> Iterator[httpx.Client]:
    """A browser in which the owner of a local stack has followed the link that it printed."""
    url = httpx.URL(link)
    headers = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=url.join("/"), headers=headers, timeout=_PATIENCE_SECONDS) as client:
        assert client.get(url).status_code == 303
        yield client


def new_stranger(admin: httpx.Client, name: str, *rights: str) -> Stranger:
    """Have an admin make a user, who logs in once, for a token."""
    made = admin.post("/api/v1/users", json={"name": name}).json()
    with httpx.Client(base_url=admin.base_url, headers=dict(admin.headers)) as own:
        assert own.post("/api/v1/session", json=made).status_code == 200
        asked = {"name": "script", "rights": list(rights)}
        token = own.post("/api/v1/tokens", json=asked)
    assert token.status_code == 201, token.text
    return Stranger(str(admin.base_url), token.json()["token"])

"""Batches that clients order at the door, and the judge of what became of each order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from faults.door import Door
from faults.world import Report
from sqlalchemy import select

from db.models import BatchRow, JobRow, TaskRow
from db.session import Database
from maskpool.domain import BatchState, new_id

#: Of an upload that becomes a batch at once, and of one that becomes a task of the clerk.
_FILES = (2, 3)

#: Status and JSON of an answer.
Told = tuple[int, Any]


@dataclass
class Orders:
    """What clients ordered, each with a key that is its name as well.

    Attributes:
        told: The answers to each order that was acknowledged.
        given_up: Orders that were sent once and not acknowledged.
        unanswered: Tries that got no answer.
    """

    door: Door
    uploads: list[str] = field(init=False)
    told: dict[str, list[Told]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    unanswered: int = 0

    def __post_init__(self) -> None:
        with self.door.client() as client:
            self.uploads = [self._upload(client, files) for files in _FILES]

    def _upload(self, client: httpx.Client, files: int) -> str:
        url = f"{self.door.servers[0].url}/api/v1/uploads"
        made = client.post(url, json={"name": "ordered"}).json()["id"]
        for number in range(files):
            put = client.put(f"{url}/{made}/files/{number}.jpg", content=b"\xff\xd8\xff")
            assert put.status_code == 201, put.text
        return str(made)

    def order(self, client: httpx.Client, rng: random.Random) -> None:
        """Order one batch: some are given up at the first mishap, some are ordered twice."""
        words = self._words(rng)
        name, chance = words["json"]["name"], rng.random()
        if chance < 0.2:
            self._once(client, rng, words)
            return
        for _ in range(1 + (chance < 0.6)):
            answer, tries = self.door.ask(client, rng, "POST", "/api/v1/batches", **words)
            assert answer.status_code < 300, answer.text
            self.unanswered += tries
            self.told.setdefault(name, []).append((answer.status_code, answer.json()))

    def once_more(self, client: httpx.Client) -> None:
        """Order one task for the clerk, and send the same again."""
        words = self._words(random.Random(0), self.uploads[-1])
        for _ in range(2):
            answer = client.post(f"{self.door.servers[0].url}/api/v1/batches", **words)
            assert answer.status_code == 202, answer.text
            told = (answer.status_code, answer.json())
            self.told.setdefault(words["json"]["name"], []).append(told)

    def _once(self, client: httpx.Client, rng: random.Random, words: dict[str, Any]) -> None:
        name = words["json"]["name"]
        with suppress(httpx.TransportError):
            url = rng.choice(self.door.servers).url
            answer = client.post(f"{url}/api/v1/batches", **words)
            if answer.status_code < 300:
                self.told[name] = [(answer.status_code, answer.json())]
                return
        self.given_up.add(name)

    def _words(self, rng: random.Random, upload: str = "") -> dict[str, Any]:
        name = str(new_id())
        source = {"uploads": [upload or rng.choice(self.uploads)]}
        body = {"spec": {"prompts": ["a"]}, "source": source, "name": name}
        return {"json": body, "headers": {"Idempotency-Key": name}}


def effects(database: Database) -> Counter[str]:
    """How often each order has its effect: a whole batch, or a task that will make one."""
    with database.read() as session:
        batches = session.execute(
            select(BatchRow.id, BatchRow.name, BatchRow.total).where(
                BatchRow.state != BatchState.LOADING
            )
        ).all()
        loaded = Counter(session.scalars(select(JobRow.batch_id)))
        tasks = session.scalars(select(TaskRow.args).where(TaskRow.kind == "load")).all()
    assert {one.id: one.total for one in batches} == {one.id: loaded[one.id] for one in batches}
    return Counter([one.name for one in batches] + [args["name"] for args in tasks])


def judge(
    report: Report,
    told: Mapping[str, Sequence[Told]],
    given_up: Collection[str],
    found: Mapping[str, int],
) -> None:
    """Fill in what became of the orders, and refuse what must not be."""
    report.jobs = len(told) + len(given_up)
    report.lost = sum(not found.get(name) for name in told)
    report.twice = sum(times > 1 for times in found.values())
    unlike = [answers for answers in told.values() if any(one != answers[0] for one in answers)]
    assert (report.lost, report.twice) == (0, 0), report
    assert unlike == []
    assert set(found) <= {*told, *given_up}

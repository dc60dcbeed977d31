"""Flower shows what the clerk does, beside the tasks of workers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from uuid import UUID

import pytest
from services.command_line import serving, until
from services.process import free_port

from db import tasks
from db.session import Database
from maskpool.tasks import TASK, TaskKind, TaskState

pytestmark = pytest.mark.slow


@pytest.fixture
def flower(redis_url: str, sqlite_url: str, folder_store_url: str, tmp_path: Path) -> Iterator[str]:
    """A dispatcher, a clerk and Flower, which has heard of the clerk; yields its address."""
    environment = {
        "MASKPOOL_HOME": str(tmp_path / "home"),
        "MASKPOOL_DATABASE_URL": sqlite_url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_STORE_URL": folder_store_url,
        # Of Flower's, for its own page; ours need none on loopback.
        "FLOWER_UNAUTHENTICATED_API": "true",
    }
    port = free_port()
    words = ("--app", "workers.app", "flower", "--address=127.0.0.1", f"--port={port}")
    with (
        serving("dispatch", log=tmp_path / "dispatch.log", env=environment),
        serving(
            *words,
            log=tmp_path / "flower.log",
            env=environment,
            cwd=tmp_path,
            program=("-m", "celery"),
        ),
    ):
        address = f"http://127.0.0.1:{port}"
        until(lambda: ask(address, "tasks") is not None, what="Flower")
        with serving("clerk", log=tmp_path / "the-clerk.log", env=environment):
            yield address


def ask(address: str, what: str) -> Any:
    """What Flower's API says; None as long as it does not listen."""
    try:
        with urllib.request.urlopen(f"{address}/api/{what}", timeout=60) as answer:
            return json.load(answer)
    except (URLError, ConnectionError):
        return None


def test_a_task_of_the_clerk_is_shown_with_its_kind_and_row(flower: str, sqlite_url: str) -> None:
    with closing(Database(sqlite_url)) as database:
        with database.write() as session:
            made = tasks.create(
                session, TaskKind.EXPIRE, {}, user_id=None, team_id=None, batch_id=None
            )
        until(lambda: is_done(database, made), what="the clerk's work")
    until(lambda: shown(flower, made).get("state") == "SUCCESS", what="its end in Flower")
    task = shown(flower, made)
    assert (task["name"], task["kwargs"]) == (TASK, f"expire task={made}")
    assert task["worker"] in until(lambda: ask(flower, "workers?refresh=1"), what="the clerk")


def shown(address: str, task_id: UUID) -> dict[str, Any]:
    return (ask(address, "tasks") or {}).get(str(task_id), {})


def is_done(database: Database, task_id: UUID) -> bool:
    with database.read() as session:
        row = tasks.find(session, task_id)
    return row is not None and row.state == TaskState.DONE

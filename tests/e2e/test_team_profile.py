"""The team profile's own commands on real servers: Redis, Postgres, S3, two workers, Flower."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.command_line import maskpool, maskpool_json, serving, until
from services.process import free_port
from services.rows import instances_of, unfolded_chunks
from services.stack import await_workers

from db import lookup
from db.session import Database
from maskpool.domain import BatchState
from maskpool.reading_rule import ReadingRule
from producer.integrity.check import verify
from producer.integrity.findings import Tally
from storage.objects import open_store

ROOT = Path(__file__).resolve().parents[2]
SCENES = ROOT / "samples" / "scenes"
PHOTOS = ROOT.parent / "shared" / "photos"
IMAGES = 300
FLOWER_LOGIN = "ann:secret"
EVERYTHING = ReadingRule(threshold=0.0, clip_margin=0.0, max_against=1.0)


@pytest.fixture
def environment(
    redis_url: str, postgres_url: str, s3_bucket: tuple[str, str], s3_store_url: str, tmp_path: Path
) -> dict[str, str]:
    return {
        "MASKPOOL_HOME": str(tmp_path / "home"),
        "MASKPOOL_DATABASE_URL": postgres_url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_STORE_URL": s3_store_url,
        "MASKPOOL_S3_ENDPOINT_URL": s3_bucket[0],
        "MASKPOOL_MODEL": "demo",
        "MASKPOOL_LOG_FORMAT": "json",
    }


@pytest.fixture
def pool(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """A dispatcher, two workers and Flower; yields Flower's address."""
    assert maskpool("migrate", env=environment).returncode == 0
    port = free_port()
    flower_words = (
        *("--app", "workers.app", "flower", "--address=127.0.0.1", f"--port={port}"),
        f"--basic-auth={FLOWER_LOGIN}",
    )
    with (
        serving("dispatch", log=tmp_path / "dispatch.log", env=environment),
        serving("worker", log=tmp_path / "worker-1.log", env=environment),
        serving("worker", log=tmp_path / "worker-2.log", env=environment),
        serving(
            *flower_words,
            log=tmp_path / "flower.log",
            env=environment,
            cwd=tmp_path,
            program=("-m", "celery"),
        ),
    ):
        with closing(Database(environment["MASKPOOL_DATABASE_URL"])) as database:
            await_workers(database, 2)
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The scenes over and over, and photographs where there are any."""
    folder = tmp_path / "images"
    sources = sorted(SCENES.rglob("*.jpg")) + sorted(PHOTOS.glob("*.jpg"))
    for number in range(IMAGES):
        source = sources[number % len(sources)]
        target = folder / f"round_{number // len(sources):02d}" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return folder


def ask_flower(address: str, path: str) -> Any:
    request = urllib.request.Request(f"{address}{path}")
    request.add_header("Authorization", f"Basic {b64encode(FLOWER_LOGIN.encode()).decode()}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_300_images_end_with_every_mask_in_its_place(
    pool: str, environment: dict[str, str], images: Path
) -> None:
    words = ("-p", "red circle", "-p", "blue square", "-p", "circle, not blue circle", "--verify")
    submitted = maskpool_json("submit", str(images), *words, env=environment)
    assert submitted["total"] == IMAGES
    foreign = maskpool("submit", "s3://elsewhere/june", "-p", "circle", env=environment)
    assert foreign.returncode == 2
    assert "MASKPOOL_SOURCE_BUCKETS" in foreign.stderr
    watched = maskpool("status", "--watch", submitted["id"], env=environment)
    assert watched.returncode == 0, watched.stderr

    database = Database(environment["MASKPOOL_DATABASE_URL"])
    endpoint = os.environ["MASKPOOL_S3_ENDPOINT_URL"]
    store = open_store(environment["MASKPOOL_STORE_URL"], endpoint_url=endpoint)
    batch_id = UUID(submitted["id"])
    with database.read() as session:
        progress = lookup.progress(session, batch_id)
        found = instances_of(session, batch_id, range(IMAGES), EVERYTHING)
        assert unfolded_chunks(session) == 0
    assert (progress.state, progress.done, progress.failed) == (BatchState.DONE, IMAGES, 0)
    assert progress.gpu_seconds > 0
    tally = Tally()
    assert list(verify(database, store, tally=tally)) == []
    assert (tally.jobs, tally.instances) == (IMAGES, len(found))
    assert tally.objects == len(list(store.list("masks/"))) > 0
    assert {row.clip_score is not None for row in found if row.prompt_index == 2} == {True}
    _check_flower(pool, submitted["id"])
    database.close()


def _check_flower(address: str, batch_id: str) -> None:
    until(
        lambda: len(ask_flower(address, "/api/workers?refresh=1")) == 2,
        what="two workers in Flower",
    )
    tasks = ask_flower(address, "/api/tasks?limit=1000")
    mine = [task for task in tasks.values() if batch_id in task["kwargs"]]
    assert mine, "Flower shows the batch's tasks"
    assert {task["name"] for task in mine} == {"annotate"}
    assert all("chunk=" in task["kwargs"] and "size=" in task["kwargs"] for task in mine)

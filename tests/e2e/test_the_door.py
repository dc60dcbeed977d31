"""``demo --stay``, and a stranger at its door who has a token and the description of the API."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from services.command_line import process_of, processes_naming, serving, until
from services.stranger import Stranger, logged_in_by_link, new_stranger

SCENES = Path(__file__).resolve().parents[2] / "samples" / "scenes"

#: Also asked by the demo, whose answers are compared.
PROMPTS = ("circle", "green triangle")

#: SIGTERM, as a shell tells it.
TERMINATED = 128 + signal.SIGTERM

pytestmark = pytest.mark.slow


@dataclass
class Stay:
    """A demo that stayed."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path
    url: str
    admin: httpx.Client

    def pid(self, room: str) -> int:
        """Of the child that runs a room."""
        return process_of(f"-P -m {room}", str(self.folder))


@pytest.fixture(scope="module")
def stay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stay]:
    folder = tmp_path_factory.mktemp("stay")
    log, out = folder / "demo.log", folder / "demo"
    with serving("demo", "--stay", "-o", str(out), log=log, cwd=folder) as process:
        link = until(partial(link_in, log, process), what="the link")
        with logged_in_by_link(link) as admin:
            yield Stay(process, folder, log, str(httpx.URL(link).join("/")), admin)


def link_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    """What the demo printed; empty as long as it has not."""
    said = log.read_text()
    assert process.poll() is None, said
    found = re.search(r"log in: (\S+)", said)
    return found[1] if found else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the demo's scenes, in a folder and one below it."""
    folder = tmp_path_factory.mktemp("street")
    for name in ("scene_01.jpg", "scene_02.jpg", "scene_06.jpg", "crowded/scene_19.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(SCENES / name, folder / name)
    return folder


@dataclass
class Work:
    """What a stranger did at the door."""

    stranger: Stranger
    upload: str
    batch: str
    heard: list[Any]


@pytest.fixture(scope="module")
def stranger(stay: Stay) -> Iterator[Stranger]:
    rights = ("upload", "submit", "read", "export", "predict")
    with closing(new_stranger(stay.admin, "stranger", *rights)) as stranger:
        yield stranger


@pytest.fixture(scope="module")
def work(stranger: Stranger, folder: Path) -> Work:
    upload = stranger.upload(folder)
    with closing(stranger.events()) as events:
        heard = [next(events)]
        asked = {"spec": {"prompts": list(PROMPTS)}, "source": {"uploads": [upload]}}
        made = stranger.ask("POST /api/v1/batches", json=asked, expect=201).json()
        until(lambda: is_done(heard, next(events)), what="the end of the batch")
    return Work(stranger, upload, made["id"], heard)


def is_done(heard: list[Any], batches: list[dict[str, Any]]) -> bool:
    """Whether any of the batches that an event tells of has ended."""
    heard.append(batches)
    return any(one["state"] == "done" for one in batches)


def test_the_demo_is_whole_and_its_address_answers(stay: Stay) -> None:
    assert len(json.loads((stay.folder / "demo" / "coco.json").read_text())["images"]) == 24
    assert f"web: {stay.url.rstrip('/')}" in stay.log.read_text()
    assert stay.admin.get("/healthz").status_code == 204
    ready = stay.admin.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert stay.admin.get("/api/v1/session").json()["admin"]
    [demo] = stay.admin.get("/api/v1/batches").json()["batches"]
    assert (demo["state"], demo["done"]) == ("done", 24)


def test_a_stranger_hears_the_batch_begin_and_end(work: Work) -> None:
    assert work.heard[0] == [], "the demo's batch is somebody else's"
    [last] = work.heard[-1]
    assert (last["id"], last["state"], last["total"], last["done"]) == (work.batch, "done", 4, 4)


def images_of(work: Work) -> list[dict[str, Any]]:
    """Of every page, with masks."""
    asked = {"batch_id": work.batch, "params": {"limit": 3}}
    path = "GET /api/v1/batches/{batch_id}/images"
    first = work.stranger.ask(path, **asked).json()
    asked["params"] = {"limit": 3, "after": first["next"]}
    second = work.stranger.ask(path, **asked).json()
    assert (len(first["images"]), len(second["images"]), second["next"]) == (3, 1, None)
    return [
        work.stranger.ask(f"{path}/{{seq}}", batch_id=work.batch, seq=one["seq"]).json()
        for one in first["images"] + second["images"]
    ]


def test_the_masks_are_those_of_the_demo(stay: Stay, work: Work) -> None:
    demo = COCO(str(stay.folder / "demo" / "coco.json"))
    ids = {one["file_name"]: number for number, one in demo.imgs.items()}
    seen = 0
    for image in images_of(work):
        for prompt in PROMPTS:
            wanted = demo.loadAnns(
                demo.getAnnIds(ids[image["name"]], demo.getCatIds(catNms=[prompt]))
            )
            mine = [one["segmentation"] for one in image["instances"] if one["category"] == prompt]
            assert len(mine) == len(wanted), (image["name"], prompt)
            if mine:
                seen += len(mine)
                found = coco_mask.iou(mine, [demo.annToRLE(one) for one in wanted], [0] * len(mine))
                assert found.max(axis=0).min() > 0.9, (image["name"], prompt)
    assert seen > 3


def test_an_export_is_read_by_pycocotools(work: Work, tmp_path: Path) -> None:
    asked = work.stranger.ask("POST /api/v1/exports", json={"batches": [work.batch]}, expect=202)
    task = asked.json()["task"]

    def ended() -> Any:
        shown = work.stranger.ask("GET /api/v1/tasks/{task_id}", task_id=task).json()
        return shown if shown["state"] not in ("waiting", "running") else None

    shown = until(ended, what="the export")
    assert (shown["state"], shown["error"]) == ("done", None)
    [file] = shown["files"]
    path = "GET /api/v1/tasks/{task_id}/files/{name}"
    got = work.stranger.ask(path, task_id=task, name=file["name"]).content
    assert len(got) == file["size"]
    (tmp_path / "coco.json").write_bytes(got)
    dataset = COCO(str(tmp_path / "coco.json"))
    assert [one["name"] for one in dataset.cats.values()] == list(PROMPTS)
    by_name = {one["file_name"]: number for number, one in dataset.imgs.items()}
    for image in images_of(work):
        areas = [
            int(coco_mask.area(dataset.annToRLE(one)))
            for one in dataset.loadAnns(dataset.getAnnIds(by_name[image["name"]]))
        ]
        assert sorted(areas) == sorted(one["area"] for one in image["instances"])


def predicted(work: Work, body: dict[str, Any]) -> Any:
    """The answer, however long the worker takes."""
    answer = work.stranger.ask("POST /api/v1/predict", json=body, params={"wait": 20})
    for _ in range(6):
        if answer.status_code == 200:
            break
        answer = work.stranger.ask(
            "GET /api/v1/predictions/{prediction_id}",
            prediction_id=answer.json()["id"],
            params={"wait": 20},
        )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_one_image_is_asked_about_at_once(work: Work) -> None:
    image = {"upload": work.upload, "file": "scene_06.jpg"}
    box = {"class": "boxed", "box": [95, 176, 185, 266]}
    texts = predicted(work, {**image, "prompts": [{"text": one} for one in PROMPTS]})["result"]
    boxed = predicted(work, {**image, "objects": [box]})["result"]
    [same] = [one for one in images_of(work) if one["name"] == "scene_06.jpg"]
    assert [one["category"] for one in texts["instances"]] == [
        one["category"] for one in same["instances"]
    ]
    [only] = boxed["instances"]
    assert only["category"] == "boxed"
    left, top, width, height = coco_mask.toBbox(only["segmentation"])
    assert 85 < left < left + width < 195
    assert 166 < top < top + height < 276


def test_nothing_of_it_is_there_for_another_user(stay: Stay, work: Work) -> None:
    made = work.stranger.ask("POST /api/v1/exports", json={"batches": [work.batch]}).json()
    image = {"upload": work.upload, "file": "scene_06.jpg"}
    guess = predicted(work, {**image, "prompts": [{"text": "star"}]})["id"]
    rights = ("read", "export", "predict", "change", "submit")
    named = {
        "batch_id": work.batch,
        "seq": 0,
        "ordinal": 0,
        "task_id": made["task"],
        "upload_id": work.upload,
        "prediction_id": guess,
    }
    reads = [
        "GET /api/v1/batches/{batch_id}",
        "GET /api/v1/batches/{batch_id}/images",
        "GET /api/v1/batches/{batch_id}/images/{seq}",
        "GET /api/v1/batches/{batch_id}/images/{seq}/masks/{ordinal}.png",
        "GET /api/v1/batches/{batch_id}/images/{seq}/original",
        "GET /api/v1/batches/{batch_id}/images/{seq}/thumbnail",
        "GET /api/v1/tasks/{task_id}",
        "GET /api/v1/uploads/{upload_id}",
        "GET /api/v1/uploads/{upload_id}/files",
        "GET /api/v1/predictions/{prediction_id}",
        "POST /api/v1/batches/{batch_id}/cancel",
    ]
    with closing(new_stranger(stay.admin, "other", *rights)) as other:
        for words in reads:
            known = {name: value for name, value in named.items() if f"{{{name}}}" in words}
            other.ask(words, expect=404, **known)
            if words.startswith("GET"):
                work.stranger.ask(words, **known)
        asked = {"spec": {"prompts": ["star"]}, "source": {"uploads": [work.upload]}}
        other.ask("POST /api/v1/batches", expect=404, json=asked)
        other.ask("POST /api/v1/exports", expect=404, json={"batches": [work.batch]})
        other.ask("POST /api/v1/predict", expect=404, json={**image, "prompts": [{"text": "star"}]})
        assert other.ask("GET /api/v1/batches").json()["batches"] == []
        assert other.ask("GET /api/v1/tasks").json()["tasks"] == []


def test_a_killed_web_server_is_started_again_and_who_asks_meanwhile_waits(
    stay: Stay, work: Work
) -> None:
    killed = stay.pid("web")
    os.kill(killed, signal.SIGKILL)
    # Its socket is the stack's: whoever connects now waits for the next one.
    with httpx.Client(headers=work.stranger.client.headers, timeout=120) as client:
        answer = client.get(f"{stay.url}api/v1/batches/{work.batch}")
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert stay.pid("web") != killed


def test_a_killed_clerk_is_started_again(stay: Stay, work: Work, tmp_path: Path) -> None:
    killed = stay.pid("clerk")
    os.kill(killed, signal.SIGKILL)
    test_an_export_is_read_by_pycocotools(work, tmp_path)
    assert stay.pid("clerk") != killed


def test_sigterm_ends_the_streams_and_leaves_nothing(stay: Stay, work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        events = work.stranger.events()
        next(events)
        ending = pool.submit(lambda: (list(events), time.monotonic()))
        began = time.monotonic()
        stay.process.send_signal(signal.SIGTERM)
        _, ended = ending.result(timeout=60)
    # httpx would have raised had the stream broken off.
    assert ended - began < 10
    assert stay.process.wait(60) == TERMINATED
    assert "Traceback" not in stay.log.read_text()
    assert processes_naming(str(stay.folder)) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(stay.url)

"""A run whose folders, lists and images have any legal name, and lie in any place."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from hostile.paths import ALL_IN_ONE
from services.command_line import maskpool, processes_naming

from storage.objects import open_store
from storage.uris import file_uri

SCENES = Path(__file__).resolve().parents[2] / "samples" / "scenes"

#: An image's name takes all but a backslash.
IMAGE = f"{ALL_IN_ONE.replace(chr(92), '')}.jpg"


def neighbour(path: Path) -> bytes:
    """A database of the user's own, where a path that is cut at its ``?`` would lead."""
    rows = sqlite3.connect(path)
    rows.execute("CREATE TABLE theirs (a)")
    rows.close()
    return path.read_bytes()


@pytest.mark.slow
def test_a_run_reads_what_its_list_names_in_folders_of_any_name(
    s3_bucket: tuple[str, str], tmp_path: Path
) -> None:
    endpoint, bucket = s3_bucket
    store = open_store(f"s3://{bucket}", endpoint_url=endpoint)
    store.put_file("far/scene_04.jpg", SCENES / "scene_04.jpg")
    base = tmp_path / ALL_IN_ONE
    lists, photos, linked, out = (base / n for n in ("lists", "d:one", "linked", "mine?v2#1"))
    for number, folder in enumerate((lists, photos, linked), 1):
        folder.mkdir(parents=True)
        shutil.copy(SCENES / f"scene_{number:02}.jpg", folder / IMAGE)
    (lists / "link.jpg").symlink_to(linked / IMAGE)
    lines = [
        {"uri": IMAGE, "name": "beside.jpg"},
        {"uri": str(photos / IMAGE), "name": "absolute.jpg"},
        {"uri": file_uri(str(photos / IMAGE)), "name": f"uri/{IMAGE}"},
        {"uri": "link.jpg"},
        {"uri": f"s3://{bucket}/far/scene_04.jpg", "name": "far.jpg"},
    ]
    (lists / "list.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    before = neighbour(base / "mine")
    # What the environment says is of other pools: a run must not follow it.
    others = {
        "MASKPOOL_SOURCE_ROOTS": "/nowhere",
        "BROKER_URL": "redis://127.0.0.1:1/0",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "CELERY_BROKER_READ_URL": "redis://127.0.0.1:1/0",
        "APP": "production",
    }
    words = ("run", str(lists / "list.jsonl"), "-p", "circle", "-o", str(out), "--json")
    done = maskpool(*words, env=others, cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    coco = json.loads((out / "coco.json").read_text())
    assert {image["file_name"] for image in coco["images"]} == {
        "absolute.jpg",
        "beside.jpg",
        "far.jpg",
        "link.jpg",
        f"uri/{IMAGE}",
    }
    assert len(list((out / "overlays").rglob("*.jpg"))) == 5
    assert (base / "mine").read_bytes() == before
    assert sorted(path.name for path in base.iterdir()) == [
        "d:one",
        "linked",
        "lists",
        "mine",
        "mine?v2#1",
    ]
    assert processes_naming(str(out)) == []

"""Lists of web images through ``run`` and ``submit``, as a user gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.command_line import maskpool
from services.web_server import Handler, WebServer, web_server

SCENES = Path(__file__).resolve().parents[2] / "samples" / "scenes"

#: What makes the server of these tests readable; ``::1`` stays closed.
LOOPBACK = {"MASKPOOL_SOURCE_NETWORKS": "127.0.0.0/8"}


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as site:
        for name in ("scene_01.jpg", "scene_02.jpg"):
            site.page(f"/june/{name}", (SCENES / name).read_bytes())
        moved = "/june/scene_02.jpg?sig=hunter2"
        site.pages["/moved"] = lambda handler: handler.say(302, Location=moved)
        site.pages["/away"] = lambda handler: handler.say(302, Location="http://other.test/a.jpg")
        site.pages["/busy.jpg"] = _busy_at_first
        yield site


def _busy_at_first(handler: Handler) -> None:
    asked = sum(seen.target == handler.path for seen in handler.site.seen)
    if asked == 1:
        handler.say(503)
    else:
        handler.say(200, (SCENES / "scene_02.jpg").read_bytes())


@pytest.mark.slow
def test_a_list_of_web_images_is_annotated(site: WebServer, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{site.port}"
    rows = [
        {"uri": "local.jpg"},
        {"url": f"{base}/june/scene_01.jpg?sig=hunter2", "name": "web.jpg"},
        {"url": f"{base}/moved"},
        {"url": f"{base}/busy.jpg"},
        {"url": f"{base}/never.jpg"},
        {"url": f"{base}/away"},
        {"url": f"http://[::1]:{site.port}/june/scene_01.jpg", "name": "inner.jpg"},
    ]
    (tmp_path / "local.jpg").write_bytes((SCENES / "scene_01.jpg").read_bytes())
    listed = tmp_path / "list.jsonl"
    listed.write_text("".join(json.dumps(row) + "\n" for row in rows))

    words = (
        "run",
        str(listed),
        "-p",
        "circle",
        "-p",
        "green triangle",
        "-o",
        str(tmp_path / "out"),
    )
    done = maskpool(*words, "--json", env=LOOPBACK)

    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["state"], summary["done"], summary["failed"]) == ("done", 4, 3)
    failures = {one["image"]: one["error"] for one in summary["failures"]}
    assert failures.keys() == {"127.0.0.1/never.jpg", "127.0.0.1/away", "inner.jpg"}
    assert "there is no image" in failures["127.0.0.1/never.jpg"]
    assert "other.test; add it to MASKPOOL_SOURCE_HOSTS" in failures["127.0.0.1/away"]
    assert "::1 is a loopback address" in failures["inner.jpg"]
    found = _instances(tmp_path / "out" / "coco.json")
    assert found["web.jpg"] == found["local.jpg"] != []
    assert found["127.0.0.1/moved"] == found["127.0.0.1/busy.jpg"] != []
    overlays = sorted(path.name for path in (tmp_path / "out" / "overlays").rglob("*.jpg"))
    assert len(overlays) == 4
    for name in ("coco.json", "summary.json", "index.html"):
        text = (tmp_path / "out" / name).read_text()
        assert "hunter2" not in text, f"{name} holds a signature"


def _instances(coco: Path) -> dict[str, list[tuple[object, ...]]]:
    content = json.loads(coco.read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    found: dict[str, list[tuple[object, ...]]] = {name: [] for name in names.values()}
    for one in content["annotations"]:
        what = (one["category_id"], one["score"], one["bbox"], one["segmentation"]["counts"])
        found[names[one["image_id"]]].append(what)
    return found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list.txt"], "line 2: this URL has a user name or password"),
        (["twice.txt"], "exports; a .csv or .jsonl can give each line a name of its own"),
        (["https://x.org/list.csv"], "a list must be a local file"),
        (["https://ann:hunter2@x.org/a.jpg"], "user name or password"),
    ],
)
def test_a_bad_url_is_refused_at_once(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("https://x.org/a.jpg\nhttps://ann:hunter2@x.org/b.jpg\n")
    (tmp_path / "twice.txt").write_text("https://x.org/a.jpg?id=1\nhttps://x.org/a.jpg?id=2\n")
    done = maskpool("run", *words, "-p", "circle", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_submit_names_hosts_that_no_worker_reads(
    sqlite_url: str, folder_store_url: str, redis_url: str, tmp_path: Path
) -> None:
    pool = {
        "MASKPOOL_DATABASE_URL": sqlite_url,
        "MASKPOOL_STORE_URL": folder_store_url,
        "MASKPOOL_REDIS_URL": redis_url,
    }
    assert maskpool("migrate", env=pool).returncode == 0
    (tmp_path / "list.txt").write_text("https://x.org/a.jpg\nhttps://y.org/b.jpg\n")
    words = ("submit", str(tmp_path / "list.txt"), "-p", "circle")
    for hosts, line in (("", "line 1"), ("x.org", "line 2")):
        refused = maskpool(*words, env={**pool, "MASKPOOL_SOURCE_HOSTS": hosts})
        assert refused.returncode == 2, refused.stderr
        assert line in refused.stderr
        assert "MASKPOOL_SOURCE_HOSTS" in refused.stderr
        assert json.loads(maskpool("status", "--json", env=pool).stdout) == []
    # Where the list lies is nobody's business, as long as no image lies beside it.
    elsewhere = {
        **pool,
        "MASKPOOL_SOURCE_HOSTS": "*.org,x.org,y.org",
        "MASKPOOL_SOURCE_ROOTS": "/elsewhere",
    }
    assert maskpool(*words, env=elsewhere).returncode == 0
    (tmp_path / "list.txt").write_text("https://x.org/a.jpg\nb.jpg\n")
    refused = maskpool(*words, env=elsewhere)
    assert refused.returncode == 2, refused.stderr
    assert "MASKPOOL_SOURCE_ROOTS" in refused.stderr

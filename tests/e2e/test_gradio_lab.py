"""The example for people who know Gradio, in an environment of its own, against a real pool."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.command_line import maskpool, serving, until

from maskpool import rle

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SCENE = ROOT / "samples" / "scenes" / "scene_04.jpg"

#: Asks as a click on "Find" does, and moves the slider; then the page itself is fetched.
DRIVER = f"""
import json, os, sys, urllib.request
sys.path.insert(0, {str(EXAMPLES)!r})
import gradio_lab as lab
door = lab.Door(sys.argv[1], os.environ["MASKPOOL_TOKEN"])
found = door.find({str(SCENE)!r}, "star\\n\\ncircle")
told = {{"found": found}}
for threshold in (0.05, 0.5, 0.95):
    _, masks = lab.drawn("x", found, threshold)
    told[str(threshold)] = [[label, int(mask.sum()), list(mask.shape)] for mask, label in masks]
_, url, _ = lab.page(door).launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
told["page"] = urllib.request.urlopen(url, timeout=30).status
print(json.dumps(told))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> Path:
    """The interpreter of an environment that has what the example asks for; it is kept."""
    wanted = EXAMPLES / "gradio_lab.txt"
    cache: pytest.Cache = pytestconfig.cache  # type: ignore[assignment]
    kept = cache.mkdir("gradio_lab") / hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    program = kept / "bin" / "python"
    if not (kept / "whole").exists():
        venv = ("venv", "--clear", "--without-pip")
        subprocess.run([sys.executable, "-m", *venv, str(kept)], check=True)
        # Most of what comes with Gradio is never imported: to compile it takes most of the time.
        options = ("-q", "--disable-pip-version-check", "--no-compile", "-r", str(wanted))
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(program), "install", *options],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"Gradio cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        (kept / "whole").touch()
    return program


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a pool at work, and a token for it."""
    log = tmp_path / "up.log"
    with serving("up", log=log, cwd=tmp_path):
        until(lambda: "log in:" in log.read_text(), what="the web server")
        rights = ("--right", "upload", "--right", "predict")
        made = maskpool("token", "create", "lab", *rights, cwd=tmp_path)
        url, token = re.search(r"web: (\S+)", log.read_text()), re.search(r"mp_\S+", made.stdout)
        assert url, log.read_text()
        assert token, made.stdout + made.stderr
        yield url[1], token[0]


@pytest.mark.timeout(500)
def test_texts_become_masks_and_the_slider_asks_nobody(
    python: Path, pool: tuple[str, str], tmp_path: Path
) -> None:
    url, token = pool
    told_to_gradio = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GRADIO_ANALYTICS_ENABLED": "False",  # nothing leaves the machine
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [str(python), "-c", DRIVER, url],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**told_to_gradio, "MASKPOOL_TOKEN": token},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    for instance, (label, area, shape) in zip(told["found"], told["0.05"], strict=True):
        assert shape == instance["segmentation"]["size"]
        assert area == instance["area"] == rle.decode(rle.Rle(**instance["segmentation"])).sum()
        assert label == f"{instance['category']} {instance['score']:.2f}"
    assert {label.partition(" ")[0] for label, *_ in told["0.5"]} == {"star", "circle"}
    assert len(told["0.95"]) < len(told["0.5"]) <= len(told["0.05"])
    assert told["page"] == 200

"""A run finishes in a folder of any bytes, though nobody reads what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from services.command_line import PATIENCE, processes_naming


@pytest.mark.slow
def test_a_run_without_a_reader_in_folders_that_are_not_utf_8(tmp_path: Path) -> None:
    source, out = tmp_path / os.fsdecode(b"caf\xe9"), tmp_path / os.fsdecode(b"out\xe9#%41")
    source.mkdir()
    Image.new("RGB", (64, 48), "red").save(source / "a.png")
    (source / "b.png").write_bytes(b"no image")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "producer.cli", "run", source, "-p", "circle", "-o", out],
        stdout=writer,
        stderr=writer,
        timeout=PATIENCE,
        cwd=tmp_path,
        check=False,
    )
    os.close(writer)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["done"], summary["failed"]) == (1, 1)
    assert done.returncode == 3, "one image failed, which is the run's own code"
    dataset = json.loads((out / "coco.json").read_text())
    assert dataset["info"]["description"].endswith("/caf%E9")
    assert "caf%E9" in (out / "index.html").read_text()
    assert processes_naming(str(tmp_path)) == []

"""The benchmark of exports runs, and keeps what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_small_batch_ends_in_a_table_and_a_file(tmp_path: Path) -> None:
    words = ["--images", "4000", "--folder", str(tmp_path), "--results", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "bench/exporting.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "export 4,000 images" in done.stdout
    (kept,) = tmp_path.iterdir()
    export = json.loads(kept.read_text())["export"]
    assert export["images"] == 4000
    rate, peak, small_peak, size = (row["measured"] for row in export["rows"])
    assert rate > 0
    assert 30 < small_peak < 200
    assert 30 < peak < 200
    assert 0.01 < size < 0.1

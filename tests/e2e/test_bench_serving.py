"""The benchmark of the web server runs, and keeps what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_few_requests_end_in_a_table_and_a_file(tmp_path: Path) -> None:
    words = ["--images", "120", "--requests", "10", "--files", "8", "--results", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "bench/serving.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "a page of 100 images as JSON" in done.stdout
    (kept,) = tmp_path.iterdir()
    rows = json.loads(kept.read_text())["serving"]["rows"]
    by_name = {row["what"].strip(): row for row in rows}
    # The difference of two medians of ten requests each is as often below zero.
    added = by_name["added to the queue's own"]
    assert abs(added["measured"]) < 1000
    assert [row["what"] for row in rows if row["measured"] <= 0 and row != added] == []
    assert by_name["status of a batch, one process"]["stock"] > 0
    assert 30 < by_name["largest resident size"]["measured"] < 400

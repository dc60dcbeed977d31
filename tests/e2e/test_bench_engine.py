"""The benchmark of the segmenter runs, and what it prints and keeps is what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import revisions

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_few_cells_end_in_a_table_and_a_file(tmp_path: Path) -> None:
    few = ["--cells", "1x1", "2x4", "--repeat", "1", "--images", "4", "--large-masks", "3"]

    done = subprocess.run(
        [sys.executable, "bench/engine.py", *few, "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "ratio" in done.stdout
    (kept,) = tmp_path.glob("*.json")
    engine = json.loads(kept.read_text())["engine"]
    one, four = engine["rows"]
    assert (four["images"], four["prompts"]) == (2, 4)
    for row in (one, four):
        stages = row["stages_ms"]
        assert all(stages[name] > 0 for name in ("decode", "prepare", "vision", "detector"))
        assert row["stock_ms"] > 0
        assert row["ratio"] == pytest.approx(row["stock_ms"] / row["ours_ms"])
        assert row["bound"] >= 1
    assert [row["prompts"] for row in engine["whole_worker"]] == [1, 10]
    assert all(row["share"] > 0 for row in engine["whole_worker"])
    assert engine["large_masks"]["masks"] == 3
    assert "3 masks of 4032 × 4032 pixels" in done.stdout


@pytest.mark.slow
def test_what_an_object_costs_beside_a_text_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "bench/objects.py", "--rows", "4", "--repeat", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    kinds = ("texts", "regions", "boxes", "clicks")
    assert all(f"each of the {kind}" in done.stdout for kind in kinds)
    assert "once an image with objects" in done.stdout


@pytest.mark.slow
def test_a_checkout_beside_itself_finds_the_same() -> None:
    words = [".", "--cells", "1x1", "2x2", "--repeat", "1", "--lives", "1"]

    done = subprocess.run(
        [sys.executable, "bench/revisions.py", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    one, two = [line.split() for line in done.stdout.splitlines()[2:4]]
    assert (one[:2], one[-1]) == (["1", "1"], "yes")
    assert (two[:2], two[-1]) == (["2", "2"], "yes")
    assert all(0.1 < float(ratio) < 10 for ratio in (*one[4:6], *two[4:6]))


def test_what_is_no_checkout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["revisions.py", str(ROOT / "docs"), "--lives", "1"])
    with pytest.raises(SystemExit, match=r"docs has no .*: it is no checkout of this project"):
        revisions.main()

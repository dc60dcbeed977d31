"""The pages' scripts hold what their types promise; ``make check`` runs the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STUDIO = ROOT / "web" / "studio"
DENO = Path(sys.executable).with_name("deno")

#: Longer ones do more than one thing.
_MAX_LINES = 300


@pytest.mark.parametrize("command", ["check", "lint"])
def test_deno_finds_nothing(command: str, tmp_path: Path) -> None:
    if not DENO.exists():
        assert os.environ.get("CI") != "true", "CI must bring deno"
        pytest.skip("deno is missing: pip install deno")
    where = ("--config", str(STUDIO / "deno.json"), str(STUDIO / "static"))
    done = subprocess.run(
        [DENO, command, "--quiet", *where],
        env={**os.environ, "DENO_DIR": str(tmp_path), "DENO_NO_UPDATE_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(STUDIO.glob("static/*.js")), ids=lambda file: file.name)
def test_a_module_is_checked_and_short(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0] == "// @ts-check"
    assert len(lines) <= _MAX_LINES

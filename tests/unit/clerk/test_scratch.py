"""Folders of a task: gone at the end, and those of the dead go when the next clerk starts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from clerk.scratch import clear_dead, scratch_folder


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_it_is_empty_and_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_folder() as folder:
        assert list(folder.iterdir()) == []
        (folder / "coco.json").write_text("{}")
    assert list(tmp_path.iterdir()) == []


def test_those_of_the_dead_go_and_those_in_use_stay(tmp_path: Path) -> None:
    dead, foreign = tmp_path / "maskpool-clerk-dead", tmp_path / "maskpool-clerk-no-lock"
    for folder in (dead, foreign):
        (folder / "work").mkdir(parents=True)
    (dead / "lock").touch()
    with scratch_folder() as used:
        clear_dead()
        assert used.exists()
        assert not dead.exists()
        assert foreign.exists()

"""A file that is written whole: the old content or the new one, and nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile.paths import NAMES

from maskpool.files import hidden_beside, write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_made_and_replaced(tmp_path: Path, durable: bool) -> None:
    for content in (b"old and longer", b"new"):
        write_whole(tmp_path / "file", content, durable=durable)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", [*NAMES, "n" * 255, "é" * 127])
def test_a_file_of_any_name_is_written(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"new", durable=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"new")]


def test_long_names_that_differ_at_their_end_are_kept_apart() -> None:
    one, other = (hidden_beside(Path("/a", "n" * 250 + end), ".partial") for end in "12")
    assert one != other
    assert hidden_beside(Path("/a/b.json"), ".partial") == Path("/a/.b.json.partial")


def test_what_cannot_be_written_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_whole(file, b"old", durable=False)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(file, b"new", durable=True)
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_only_the_owner_reads_a_secret(tmp_path: Path) -> None:
    write_whole(tmp_path / "secret", b"password", durable=False, mode=0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_only_a_durable_file_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(os, "fsync", waits.append)
    write_whole(tmp_path / "file", b"quick", durable=False)
    assert waits == []
    write_whole(tmp_path / "file", b"kept", durable=True)
    assert len(waits) == 2, "the content, and its name in the folder"

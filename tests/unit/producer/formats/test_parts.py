"""An export that is interrupted anywhere, and begun again: the same bytes, or a fresh start."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile.paths import NAMES
from hypothesis import given, settings
from hypothesis import strategies as st
from services.albums import Album

from maskpool import failpoints
from maskpool.domain import Found, Instance
from maskpool.errors import Conflict, Unreachable
from maskpool.rle import Rle
from producer.formats import Counts, parts, write_coco
from producer.results.records import ImageResult, LabelledInstance

INFO = {"description": "t", "n": (1, 2)}
CATEGORIES = ["cat", "dog"]

#: Every place at which a process may die while it writes, and the end of it.
PLACES = [place for place in failpoints.PLACES if place.startswith("export.")]


class Killed(BaseException):
    """The process is gone: nothing of ours runs any more."""


def image(seq: int, instances: int) -> ImageResult:
    found = [
        Instance(
            Found(0, 0.5 + n / 100, (1.0, 2.0, 3.0, 5.0 + n), Rle((6, 8), f"{seq}x")), n + 1, 0.0
        )
        for n in range(instances)
    ]
    labelled = tuple(LabelledInstance(CATEGORIES[n % 2], one) for n, one in enumerate(found))
    return ImageResult(seq, f"{seq}.jpg", f"file:///{seq}.jpg", 8, 6, labelled)


def images(counts: list[int]) -> list[ImageResult]:
    return [image(seq, count) for seq, count in enumerate(counts)]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "STEP", 3)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "coco.json"


def write(target: Path, album: Album, said: list[str], *, fresh: bool = False) -> Counts:
    return write_coco(target, CATEGORIES, album, INFO, fresh=fresh, say=said.append)


def whole(folder: Path, shown: list[ImageResult]) -> bytes:
    """The file as it is without any interruption."""
    target = folder / "whole.json"
    write(target, Album(shown), [])
    content = target.read_bytes()
    target.unlink()
    return content


def stopping_at(stop: int, error: BaseException) -> Callable[[int], None]:
    def stopped(place: int) -> None:
        if place == stop:
            raise error

    return stopped


@settings(deadline=None, max_examples=150)
@given(
    counts=st.lists(st.integers(0, 3), max_size=12),
    stops=st.lists(st.integers(0, 12), max_size=4),
    torn=st.binary(max_size=20),
)
def test_whatever_interrupts_it_the_file_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], stops: list[int], torn: bytes
) -> None:
    folder = tmp_path_factory.mktemp("export")
    shown, target, said = images(counts), folder / "coco.json", []
    expected = whole(folder, shown)
    for stop in stops:
        album = Album(shown, before=stopping_at(stop, KeyboardInterrupt()))
        try:
            write(target, album, said)
        except KeyboardInterrupt:
            for part in (folder / ".coco.json.partial").glob("[ia]*s"):
                with part.open("ab") as file:  # what the journal does not count yet
                    file.write(torn)
    album = Album(shown)
    assert write(target, album, said) == Counts(len(counts), sum(counts))
    assert target.read_bytes() == expected
    assert left(folder) == ["coco.json"]
    assert len(album.opened) == 1, "started over"
    assert album.opened[0] % 3 == 0


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("time", [1, 2, 3])
def test_a_process_that_dies_at_any_step_loses_only_that_step(
    target: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, place: str, time: int
) -> None:
    shown = images([2, 0, 1, 3, 1, 0, 2, 2])
    expected = whole(target.parent, shown)
    comings: list[str] = []

    def reach(come_to: str) -> None:
        comings.append(come_to)
        if come_to == place and comings.count(place) == time:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reach", reach)
        # A process that is gone does not tidy up.
        patched.setattr(parts, "_remove", lambda _: None)
        killed = False
        try:
            write(target, Album(shown), [])
        except Killed:
            killed = True
    assert killed or time > comings.count(place)
    assert not target.exists() or target.read_bytes() == expected

    album = Album(shown)
    write(target, album, said)

    assert target.read_bytes() == expected
    assert left(target.parent) == ["coco.json"]
    assert album.opened == [min(3 * comings.count("export.kept"), len(shown))]


def test_it_says_where_it_stopped_and_where_it_goes_on(target: Path, said: list[str]) -> None:
    shown = images([1] * 8)
    gone = Unreachable("the database", "the connection was lost")
    with pytest.raises(Unreachable):
        write(target, Album(shown, before=stopping_at(7, gone)), said)
    folder = target.parent / ".coco.json.partial"
    assert said == [f"what was written stays in {folder}: the same command resumes after 6 images"]
    said.clear()
    album = Album(shown)
    write(target, album, said)
    assert said == ["resuming after 6 images"]
    assert album.opened == [6]


def interrupted(target: Path, shown: list[ImageResult]) -> None:
    """Leave the parts of the first six images."""
    with pytest.raises(KeyboardInterrupt):
        write(target, Album(shown, before=stopping_at(7, KeyboardInterrupt())), [])


def started_over(target: Path, said: list[str], shown: list[ImageResult]) -> None:
    [sentence] = said
    assert sentence.startswith("starting over: what an interrupted export left here")
    assert target.read_bytes() == whole(target.parent, shown)
    assert left(target.parent) == ["coco.json"]


@pytest.mark.parametrize(
    "other",
    [
        images([1] * 5 + [2] + [1] * 3),  # one of those that were written has changed
        images([1] * 4),  # there are fewer
        [],
    ],
)
def test_other_images_are_another_export(
    target: Path, said: list[str], other: list[ImageResult]
) -> None:
    interrupted(target, images([1] * 9))
    write(target, Album(other), said)
    started_over(target, said, other)


def test_images_that_came_behind_are_no_other_export(target: Path, said: list[str]) -> None:
    interrupted(target, images([1] * 9))
    more = images([1] * 12)
    write(target, Album(more), said)
    assert said == ["resuming after 6 images"]
    assert target.read_bytes() == whole(target.parent, more)


def test_another_rule_is_another_export(target: Path, said: list[str]) -> None:
    shown = images([1] * 9)
    interrupted(target, shown)
    write(target, Album(shown, rule="threshold 0.7"), said)
    started_over(target, said, shown)


def test_another_question_is_another_export(target: Path, said: list[str]) -> None:
    shown = images([1] * 9)
    interrupted(target, shown)
    write_coco(target, ["cat", "dog", "bird"], Album(shown), INFO, say=said.append)
    assert said[0].startswith("starting over")
    assert b'"bird"' in target.read_bytes()


def _cut_part(folder: Path) -> None:
    os.truncate(folder / "annotations", 10)


def _lose_part(folder: Path) -> None:
    (folder / "images").unlink()


def _tear_journal(folder: Path) -> None:
    os.truncate(folder / "journal.json", 40)


def _newer_journal(folder: Path) -> None:
    text = (folder / "journal.json").read_text()
    (folder / "journal.json").write_text(text.replace('"version":1', '"version":2'))


@pytest.mark.parametrize("damage", [_cut_part, _lose_part, _tear_journal, _newer_journal])
def test_parts_that_are_not_all_there_are_of_no_use(
    target: Path, said: list[str], damage: Callable[[Path], None]
) -> None:
    shown = images([1] * 9)
    interrupted(target, shown)
    damage(target.parent / ".coco.json.partial")
    write(target, Album(shown), said)
    started_over(target, said, shown)


def test_fresh_starts_over_without_a_word(target: Path, said: list[str]) -> None:
    shown = images([1] * 9)
    interrupted(target, shown)
    album = Album(shown)
    write(target, album, said, fresh=True)
    assert (said, album.opened) == ([], [0])
    assert target.read_bytes() == whole(target.parent, shown)


def test_an_old_journal_is_never_beside_new_parts(target: Path, said: list[str]) -> None:
    """Interrupted, started over with other images, and interrupted before they were kept."""
    old, new = images([1] * 9), images([3] * 9)
    interrupted(target, old)
    with pytest.raises(KeyboardInterrupt):
        write(target, Album(new, before=stopping_at(2, KeyboardInterrupt())), [])
    assert left(target.parent) == []
    write(target, Album(old), said)
    assert said == []
    assert target.read_bytes() == whole(target.parent, old)


def test_a_file_that_is_missing_is_no_lock_that_went(target: Path, said: list[str]) -> None:
    shown = images([1] * 9)
    with pytest.raises(FileNotFoundError, match="something else"):
        write(
            target, Album(shown, before=stopping_at(7, FileNotFoundError("something else"))), said
        )
    write(target, Album(shown), said)
    assert said[-1] == "resuming after 6 images"


def test_two_at_once_do_not_meet(target: Path, said: list[str]) -> None:
    shown = images([1] * 9)
    refused = []

    def other(place: int) -> None:
        with pytest.raises(Conflict, match="another export is writing"):
            write(target, Album(shown), said)
        refused.append(place)

    write(target, Album(shown, before=other), said)
    assert len(refused) == len(shown)
    assert target.read_bytes() == whole(target.parent, shown)
    assert said == []


def test_a_lock_that_went_with_its_folder_locks_nothing(
    target: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes between our opening of its lock and our locking."""
    folder, lock = target.parent / ".coco.json.partial", fcntl.flock
    tries: list[int] = []

    def flock(file: object, operation: int) -> None:
        tries.append(operation)
        if len(tries) == 1:
            parts._remove(folder)
        lock(file, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", flock)
    shown = images([1] * 9)
    write(target, Album(shown), said)
    assert len(tries) == 2
    monkeypatch.undo()
    assert target.exists()


@pytest.mark.parametrize("name", [*NAMES, "n" * 255, "é" * 127])
def test_a_target_of_any_name_is_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, Album(images([1, 2])), [])
    assert left(tmp_path) == [name]

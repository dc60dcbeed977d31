"""A format that writes a folder: whole or not at all, resumed, and never over other files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from services.albums import Album

from maskpool import failpoints
from maskpool.errors import ConfigError, Conflict
from producer import marks
from producer.formats import Counts, parts, targets
from producer.formats.parts import Mark
from producer.formats.port import Exporter
from producer.results.records import ImageResult, OpenImages

PLACES = [place for place in failpoints.PLACES if place.startswith("export.")]


class Killed(BaseException):
    """The process is gone: nothing of ours runs any more."""


def write_sizes(
    target: Path,
    categories: object,
    images: OpenImages,
    info: object,
    *,
    fresh: bool = False,
    say: object = lambda _: None,
) -> Counts:
    """A small format: a text file an image, which says its size, in a folder ``labels``."""
    targets.require_free(target)
    with parts.unfinished(target, ["sizes"], {}, images, fresh=fresh, say=say) as unfinished:  # type: ignore[arg-type]
        count = unfinished.mark.images
        for image in unfinished.images:
            unfinished.files["sizes"].write(f"{image.name} {image.width}\n".encode())
            count += 1
            if unfinished.are_due(count):
                unfinished.keep(mark(unfinished, count))
        unfinished.finish_folder(mark(unfinished, count), target, _fill)
    return Counts(count, 0)


def mark(unfinished: parts.Parts, count: int) -> Mark:
    return Mark(images=count, fingerprint=unfinished.images.fingerprint)


def _fill(folder: Path, paths: Mapping[str, Path]) -> None:
    (folder / "labels").mkdir()
    for line in paths["sizes"].read_text().splitlines():
        name, width = line.split()
        (folder / "labels" / f"{name}.txt").write_text(width)


WRITER: Exporter = write_sizes


def images(count: int, width: int = 8) -> list[ImageResult]:
    return [ImageResult(n, f"{n}.jpg", f"file:///{n}.jpg", width, 6, ()) for n in range(count)]


def written(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != marks.EXPORT
    }


def expected(count: int, width: int = 8) -> dict[str, str]:
    return {f"labels/{n}.jpg.txt": str(width) for n in range(count)}


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "STEP", 3)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sizes"


@pytest.fixture(autouse=True)
def _parent(target: Path) -> None:
    target.parent.mkdir()


def test_a_folder_is_written_whole(target: Path) -> None:
    assert WRITER(target, [], Album(images(7)), {}) == Counts(7, 0)
    assert written(target) == expected(7)
    assert left(target.parent) == ["sizes"]


def test_an_older_export_is_replaced_with_all_its_files(target: Path) -> None:
    write_sizes(target, [], Album(images(7)), {})
    write_sizes(target, [], Album(images(2, width=9)), {})
    assert written(target) == expected(2, width=9)
    assert left(target.parent) == ["sizes"]


def test_an_empty_folder_is_free(target: Path) -> None:
    target.mkdir()
    write_sizes(target, [], Album(images(1)), {})
    assert written(target) == expected(1)


def test_other_files_are_refused_before_anything_is_read(target: Path) -> None:
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    album = Album(images(3))
    with pytest.raises(Conflict, match="sizes holds other files; give a new or empty folder"):
        write_sizes(target, [], album, {})
    assert album.opened == []
    assert written(target) == {"thesis.txt": "years of work"}
    assert left(target.parent) == ["sizes"]


def test_files_that_came_meanwhile_are_refused_at_the_end(target: Path) -> None:
    def meanwhile(_: int) -> None:
        target.mkdir(exist_ok=True)
        (target / "thesis.txt").write_text("years of work")

    said: list[str] = []
    with pytest.raises(Conflict, match="other files"):
        write_sizes(target, [], Album(images(3), before=meanwhile), {}, say=said.append)
    assert written(target) == {"thesis.txt": "years of work"}
    assert "the same command resumes after 3 images" in said[0]


@pytest.mark.parametrize("name", ["file", ".", ".."])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    where = tmp_path / name if name == "file" else Path(name)
    with pytest.raises(ConfigError, match="name a new"):
        write_sizes(where, [], Album(images(1)), {})


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("time", [1, 2])
def test_a_process_that_dies_at_any_step_leaves_no_half(
    target: Path, monkeypatch: pytest.MonkeyPatch, place: str, time: int, older: bool
) -> None:
    if older:
        write_sizes(target, [], Album(images(4, width=1)), {})
    comings: list[str] = []

    def reach(come_to: str) -> None:
        comings.append(come_to)
        if come_to == place and comings.count(place) == time:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reach", reach)
        patched.setattr(parts, "_remove", lambda _: None)  # who is gone does not tidy up
        killed = False
        try:
            write_sizes(target, [], Album(images(5)), {})
        except Killed:
            killed = True
    assert killed or time > comings.count(place)
    before = written(target) if target.exists() else {}
    assert before in (expected(4, width=1) if older else {}, expected(5))
    write_sizes(target, [], Album(images(5)), {})
    assert written(target) == expected(5)
    assert left(target.parent) == ["sizes"]


def _interrupt(_: int) -> None:
    raise KeyboardInterrupt


def _die(*_: object) -> None:
    raise Killed


def test_a_process_that_dies_between_the_two_renames_loses_nothing(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sizes(target, [], Album(images(4, width=1)), {})
    rename = Path.rename

    def dying(path: Path, to: Path) -> Path:
        if to == target:
            raise Killed
        return rename(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dying)
        with pytest.raises(Killed):
            write_sizes(target, [], Album(images(5)), {})
    assert not target.exists()
    with pytest.raises(KeyboardInterrupt):
        write_sizes(target, [], Album(images(5), before=_interrupt), {}, fresh=True)
    assert written(target) == expected(4, width=1), "the older export is back"


def test_what_was_written_before_a_death_at_the_end_is_not_read_again(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sizes(target, [], Album(images(4, width=1)), {})
    with monkeypatch.context() as patched:
        patched.setattr(targets, "put_in_place", _die)
        with pytest.raises(Killed):
            write_sizes(target, [], Album(images(5)), {})
    album = Album(images(5))
    write_sizes(target, [], album, {})
    assert album.opened == [5], "nothing is read again"
    assert written(target) == expected(5)
    assert left(target.parent) == ["sizes"]

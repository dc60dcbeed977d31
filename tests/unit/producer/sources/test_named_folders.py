"""Of many folders, common parents are granted: all files below them, few of them, never ``/``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SourceError
from maskpool.setting_lists import roots_text
from producer.sources import named_folders
from producer.sources.named_folders import NamedFolders, covering

folders = st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map(lambda p: "/" + "/".join(p))


def holds(root: str, folder: str) -> bool:
    return PurePosixPath(folder).is_relative_to(root)


@given(st.sets(folders, min_size=1, max_size=30), st.integers(1, 12))
def test_a_cover_is_small_and_holds_everything(named: set[str], most: int) -> None:
    cover = covering(named, most)
    assert len(cover) <= most
    assert all(sum(holds(root, folder) for root in cover) == 1 for folder in named)
    assert all(any(holds(root, folder) for folder in named) for root in cover)
    if "/" in cover:
        assert len({folder.split("/")[1] for folder in named}) > most
    outer = [one for one in named if not any(one != x and holds(x, one) for x in named)]
    if len(outer) <= most:
        assert cover == sorted(outer), "nothing more than what is named"


def test_a_big_family_is_merged_and_a_lone_folder_stays() -> None:
    many = {f"/data/set/{number}/images" for number in range(500)}
    lone = {"/home/ann/one/deep", "/srv/a", "/srv/b"}
    assert covering(many | lone, 100) == ["/data/set", "/home/ann/one/deep", "/srv/a", "/srv/b"]
    assert covering(many | lone, 503) == sorted(many | lone)
    assert covering(set(), 5) == []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_folders, "_MAX_ROOTS", 5)
    monkeypatch.setattr(named_folders, "_MAX_HELD", 20)
    monkeypatch.setattr(named_folders, "_real_folder", lambda folder: folder)


@pytest.mark.usefixtures("few")
def test_memory_is_bounded_while_a_list_is_read() -> None:
    named = NamedFolders("list.txt")
    for number in range(1_000):
        named.add(f"/data/{number % 10}/{number}/a.jpg")
        assert len(named._found) <= 21
    named.add("/home/ann/a.jpg")
    assert [str(root) for root in named.roots()] == ["/data", "/home/ann"]


@pytest.mark.usefixtures("few")
def test_the_whole_disk_is_never_granted() -> None:
    named = NamedFolders("list.txt")
    for number in range(6):
        named.add(f"/{number}/a.jpg")
    with pytest.raises(SourceError, match=r"^list\.txt: names files in too many folders"):
        named.roots()


@pytest.mark.usefixtures("few")
def test_a_few_folders_are_granted_as_they_are() -> None:
    named = NamedFolders("list.txt")
    for number in range(5):
        named.add(f"/{number}/a.jpg")
    assert [str(root) for root in named.roots()] == [f"/{number}" for number in range(5)]


def test_a_file_beside_the_top_folders_is_granted_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    image = tmp_path / "a.jpg"
    image.touch()
    monkeypatch.setattr(named_folders, "_real_folder", lambda _: "/")
    named = NamedFolders("list.txt")
    named.add(str(image))
    named.add(str(tmp_path / "missing.jpg"))
    assert named.roots() == (image,)


def test_long_paths_fit_into_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_folders, "_real_folder", lambda folder: folder)
    named = NamedFolders("list.txt")
    for number in range(900):
        named.add(f"/data/{'n' * 200}/{number % 30}/{'m' * 200}/{number}/a.jpg")
    roots = named.roots()
    assert len(roots_text(map(str, roots))) <= 100_000
    assert 1 < len(roots) < 900
    assert all(str(root).startswith("/data/n") for root in roots)

from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from maskpool.errors import ConfigError, Conflict, Permanent, Unreachable
from storage.objects.folder import FolderStore
from storage.objects.keys import TEMPORARY


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "objects")


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A real failure in the middle of a write: the kernel refuses the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_halfway_leaves_nothing(store: FolderStore, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(3 * 1024 * 1024))

    with files_of_at_most(100_000), pytest.raises(Unreachable, match="too large"):
        store.put("a/b", bytes(1_000_000))
    with files_of_at_most(2_000_000), pytest.raises(Unreachable, match="too large"):
        store.put_file("a/c", large)

    assert everything(store.root) == ["a"]
    assert list(store.list("")) == []


def test_a_write_that_fails_halfway_keeps_the_old_object(store: FolderStore) -> None:
    store.put("a/b", b"old")

    with files_of_at_most(1000), pytest.raises(Unreachable):
        store.put("a/b", bytes(100_000))

    assert store.get("a/b") == b"old"
    assert everything(store.root) == ["a", "a/b"]


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.ENOSPC, Unreachable, "the disk is full"),
        (errno.EDQUOT, Unreachable, "the disk is full"),
        (errno.EIO, Unreachable, "Input/output error"),
        (errno.EROFS, ConfigError, "let this user read and write"),
    ],
)
def test_the_systems_refusals_become_sentences(
    store: FolderStore,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[Exception],
    sentence: str,
) -> None:
    store.put("a/old", b"")

    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(kind, match=sentence):
        store.put("a/b", b"data")
    assert everything(store.root) == ["a", "a/old"]


def test_what_is_being_written_is_not_listed(store: FolderStore) -> None:
    store.put("a/b", b"x")
    (store.root / "a" / f"{TEMPORARY}123").write_bytes(b"half")

    assert [info.key for info in store.list("")] == ["a/b"]
    assert [info.key for info in store.list("a/")] == ["a/b"]


def test_an_object_and_a_folder_of_one_name_exclude_each_other(store: FolderStore) -> None:
    store.put("a/b", b"x")

    with pytest.raises(Conflict, match="an object already"):
        store.put("a/b/c", b"y")
    with pytest.raises(Conflict, match="a folder"):
        store.put("a", b"z")
    assert everything(store.root) == ["a", "a/b"]


def test_a_name_too_long_for_a_file_is_refused(store: FolderStore) -> None:
    with pytest.raises(Permanent, match="too long"):
        store.put("a" * 300, b"x")


def test_deleting_takes_empty_folders_but_never_the_root(store: FolderStore) -> None:
    store.put("a/b/c/d", b"")
    store.put("a/e", b"")

    store.delete(["a/b/c/d"])
    assert everything(store.root) == ["a", "a/e"]
    store.delete(["a/e", "a/e"])
    assert everything(store.root) == []
    assert store.root.is_dir()


def test_writers_survive_deleters_of_the_same_folder(store: FolderStore) -> None:
    """A deleter takes the empty folder away while a writer is about to use it."""
    failures = []

    def work(name: str) -> None:
        try:
            for _ in range(150):
                store.put(f"shared/deep/{name}", b"x")
                store.delete([f"shared/deep/{name}"])
        except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert list(store.list("")) == []


def test_a_folder_that_goes_while_it_is_made_is_made_again(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir, times = os.mkdir, iter([True, False])

    def there_and_gone(path: Path, *args: int) -> None:
        if next(times, False):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        mkdir(path, *args)

    monkeypatch.setattr(os, "mkdir", there_and_gone)
    store.put("shared/deep/1", b"x")
    assert store.get("shared/deep/1") == b"x"


def test_links_in_the_store_are_neither_listed_nor_entered(
    store: FolderStore, tmp_path: Path
) -> None:
    store.put("a/b", b"x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"")
    (store.root / "link").symlink_to(tmp_path / "outside")

    assert [info.key for info in store.list("")] == ["a/b"]

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path

import pytest
from hostile.paths import NAMES
from PIL import Image as Pillow
from services.web_server import web_server

from maskpool.domain import new_id
from maskpool.errors import ImageError, Unreachable
from maskpool.settings import Settings
from storage.images.fetch import Fetcher
from storage.objects import open_store
from storage.uris import file_uri


def photo(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (3, 2), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "ü 1#?.png").write_bytes(photo())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(photo("blue"))
    return tmp_path


@pytest.fixture
def fetcher(folder: Path) -> Fetcher:
    return make(folder)


def make(folder: Path, **settings: object) -> Fetcher:
    store = open_store((folder / "objects").as_uri())
    return Fetcher(store, Settings(source_roots=(folder / "photos",), **settings))


def test_an_image_is_fetched_with_the_hash_of_its_bytes(fetcher: Fetcher, folder: Path) -> None:
    fetched = fetcher.fetch((folder / "photos" / "ü 1#?.png").as_uri())

    assert fetched.image.shape == (2, 3, 3)
    assert (fetched.image == [255, 0, 0]).all()
    assert fetched.sha256 == hashlib.sha256(photo()).hexdigest()


def test_a_name_with_unescaped_marks_is_still_the_name(fetcher: Fetcher, folder: Path) -> None:
    assert fetcher.read(f"file://{folder}/photos/ü 1#?.png") == photo()
    assert fetcher.read(f"file://localhost{folder}/photos/ü 1#?.png") == photo()


def test_the_stores_own_folder_is_open(folder: Path) -> None:
    store = open_store((folder / "objects").as_uri())
    batch_id = new_id()
    store.put(f"sources/{batch_id}/1.png", photo("lime"))

    fetched = Fetcher(store, Settings()).fetch(store.uri(f"sources/{batch_id}/1.png"), batch_id)

    assert (fetched.image == [0, 255, 0]).all()


def test_nothing_else_is_open(fetcher: Fetcher, folder: Path) -> None:
    (folder / "photos" / "link.png").symlink_to(folder / "outside" / "secret.png")
    (folder / "photos" / "dir").symlink_to(folder / "outside")
    (folder / "photos2").mkdir()
    (folder / "photos2" / "a.png").write_bytes(photo())
    for path in (
        "outside/secret.png",
        "outside/never.png",
        "photos/../outside/secret.png",
        "photos/%2e%2e/outside/secret.png",
        "photos/link.png",
        "photos/dir/secret.png",
        "photos2/a.png",
    ):
        with pytest.raises(ImageError, match="MASKPOOL_SOURCE_ROOTS"):
            fetcher.read(f"file://{folder}/{path}")
    with pytest.raises(ImageError, match="MASKPOOL_SOURCE_ROOTS"):
        fetcher.read("file:///etc/passwd")


def test_a_root_may_itself_be_a_link(folder: Path) -> None:
    (folder / "alias").symlink_to(folder / "photos")
    store = open_store((folder / "objects").as_uri())
    fetcher = Fetcher(store, Settings(source_roots=(folder / "alias",)))

    assert fetcher.read((folder / "alias" / "ü 1#?.png").as_uri()) == photo()
    assert fetcher.read((folder / "photos" / "ü 1#?.png").as_uri()) == photo()


@pytest.mark.parametrize("name", NAMES)
def test_a_root_and_an_image_may_have_any_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / "roots" / name
    root.mkdir(parents=True)
    (root / name).write_bytes(photo())
    fetcher = Fetcher(open_store((tmp_path / name).as_uri()), Settings(source_roots=(root,)))
    assert fetcher.read(file_uri(str(root / name))) == photo()
    with pytest.raises(ImageError, match="MASKPOOL_SOURCE_ROOTS"):
        fetcher.read(file_uri(f"{root} and more/{name}"))


@pytest.mark.parametrize("path", ["loop.png", "circle/a.png", f"{'n' * 300}.png", "d/" * 3000])
def test_a_path_that_can_never_be_opened_is_not_tried_again(
    fetcher: Fetcher, folder: Path, path: str
) -> None:
    (folder / "photos" / "loop.png").symlink_to("loop.png")
    (folder / "photos" / "circle").symlink_to("circle")
    with pytest.raises(ImageError, match=r"cannot be opened: (Too many levels|File name too long)"):
        fetcher.read(f"file://{folder}/photos/{path}")


def test_a_link_that_stays_inside_is_followed(fetcher: Fetcher, folder: Path) -> None:
    (folder / "photos" / "link.png").symlink_to("ü 1#?.png")
    assert fetcher.read((folder / "photos" / "link.png").as_uri()) == photo()


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("ftp://x.org/a.png", "http:// and https:// only"),
        ("photos/a.png", "http:// and https:// only"),
        ("", "http:// and https:// only"),
        ("http://x.org/a.png", "MASKPOOL_SOURCE_HOSTS"),
        ("HTTPS://x.org/a.png", "MASKPOOL_SOURCE_HOSTS"),
        ("https://ann:pw@x.org/a.png", "user name or password"),
        ("file://host/a.png", "must be file:///absolute/path"),
        ("file://photos/a.png", "must be file:///absolute/path"),
        ("file:///a%00b.png", "must be file:///absolute/path"),
        ("s3://other/a.png", "MASKPOOL_SOURCE_BUCKETS"),
        ("s3:///a.png", "is no object"),
    ],
)
def test_an_address_that_is_not_read_is_refused(fetcher: Fetcher, uri: str, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        fetcher.fetch(uri)


def test_an_image_comes_from_the_web_where_host_and_network_are_allowed(folder: Path) -> None:
    with web_server() as site:
        site.page("/a.png", photo("lime"))
        url = site.url("/a.png", host="127.0.0.1")
        fetched = make(folder, source_hosts="127.0.0.1", source_networks="127.0.0.0/8").fetch(url)
        assert (fetched.image == [0, 255, 0]).all()
        assert fetched.sha256 == hashlib.sha256(photo("lime")).hexdigest()
        asked = len(site.seen)
        with pytest.raises(ImageError, match=r"loopback address.*MASKPOOL_SOURCE_NETWORKS"):
            make(folder, source_hosts="*").fetch(url)
        with pytest.raises(ImageError, match="MASKPOOL_SOURCE_HOSTS"):
            make(folder, source_hosts="x.org", source_networks="127.0.0.0/8").fetch(url)
        assert len(site.seen) == asked


def test_the_limits_of_the_settings_hold_on_the_web(folder: Path) -> None:
    allowed = {"source_hosts": "*", "source_networks": "127.0.0.0/8"}
    with web_server() as site:
        site.page("/a.png", photo())
        site.pages["/slow"] = lambda handler: handler.drip(b"HTTP/1.1 200 OK")
        with pytest.raises(ImageError, match="MASKPOOL_MAX_IMAGE_BYTES"):
            make(folder, **allowed, max_image_bytes=10).read(site.url("/a.png", "127.0.0.1"))
        with pytest.raises(Unreachable, match="MASKPOOL_WEB_SECONDS"):
            make(folder, **allowed, web_seconds=0.3).read(site.url("/slow", "127.0.0.1"))


def test_what_is_no_file_is_said_to_be_none(fetcher: Fetcher, folder: Path) -> None:
    os.mkfifo(folder / "photos" / "pipe.png")
    (folder / "photos" / "folder.png").mkdir()
    for name, sentence in (
        ("never.png", "there is no file .*never.png where the worker runs"),
        ("never/a.png", "there is no file"),
        ("folder.png", "is no file"),
        ("pipe.png", "is no file"),
        ("ü 1%23%3F.png/a.png", "is no file"),
    ):
        with pytest.raises(ImageError, match=sentence):
            fetcher.fetch(f"file://{folder}/photos/{name}")


def test_a_missing_root_is_a_share_to_mount_and_no_images_fault(
    fetcher: Fetcher, folder: Path
) -> None:
    uri = (folder / "photos" / "ü 1#?.png").as_uri()
    (folder / "photos").rename(folder / "unmounted")

    with pytest.raises(Unreachable, match=r"folder .*/photos is unreachable.*mount it"):
        fetcher.fetch(uri)
    (folder / "unmounted").rename(folder / "photos")
    assert fetcher.read(uri) == photo()


def test_the_byte_limit_is_exact(folder: Path) -> None:
    uri = (folder / "photos" / "ü 1#?.png").as_uri()
    size = len(photo())

    assert make(folder, max_image_bytes=size).read(uri) == photo()
    with pytest.raises(ImageError, match=f"{size} bytes, more than the {size - 1} allowed"):
        make(folder, max_image_bytes=size - 1).read(uri)


def test_a_large_file_is_refused_without_being_read(folder: Path) -> None:
    with (folder / "photos" / "large.png").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ImageError, match="MASKPOOL_MAX_IMAGE_BYTES"):
        make(folder).read((folder / "photos" / "large.png").as_uri())


def test_access_denied_and_failing_disks(
    fetcher: Fetcher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = (folder / "photos" / "ü 1#?.png").as_uri()

    def refusing(kind: OSError) -> object:
        def refuse(*_: object, **__: object) -> int:
            raise kind

        return refuse

    monkeypatch.setattr(os, "open", refusing(PermissionError(13, "Permission denied")))
    with pytest.raises(ImageError, match="access denied"):
        fetcher.fetch(uri)
    monkeypatch.setattr(os, "open", refusing(OSError(116, "Stale file handle")))
    with pytest.raises(Unreachable, match="Stale file handle"):
        fetcher.fetch(uri)


def test_zero_bytes_are_said_to_be_zero(fetcher: Fetcher, folder: Path) -> None:
    (folder / "photos" / "empty.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        fetcher.fetch((folder / "photos" / "empty.jpg").as_uri())


def test_threads_share_a_fetcher(fetcher: Fetcher, folder: Path) -> None:
    uri = (folder / "photos" / "ü 1#?.png").as_uri()
    seen: list[bool] = []

    def work() -> None:
        seen.extend(bool((fetcher.fetch(uri).image == [255, 0, 0]).all()) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 120

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hostile.paths import NAMES

from maskpool.errors import ConfigError
from storage.objects import open_store
from storage.uris import path_of


@pytest.mark.parametrize(
    "url",
    [
        "",
        "objects",
        "/objects",
        "gs://bucket/a",
        "http://host/bucket",
        "file://objects",
        "file://host/objects",
        "s3://",
        "s3:///prefix",
        "s3://u/../x\\",
        "s3://key:hunter2@bucket/prefix",
        "hunter2@host://bucket",
    ],
)
def test_a_url_that_is_none_is_refused_by_the_settings_name(url: str) -> None:
    with pytest.raises(ConfigError, match="MASKPOOL_STORE_URL") as caught:
        open_store(url)
    assert "hunter2@b" not in str(caught.value)
    assert "key:hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_store_in_a_folder_of_any_name_is_found_again(tmp_path: Path, name: str) -> None:
    store = open_store((tmp_path / name).as_uri())
    store.put("a/b.bin", b"mask")
    assert (tmp_path / name / "a" / "b.bin").read_bytes() == b"mask"
    assert open_store(store.url).get("a/b.bin") == b"mask"
    assert [found.key for found in open_store(store.url).list("a/")] == ["a/b.bin"]
    assert path_of(store.uri("a/b.bin")) == f"{tmp_path}/{name}/a/b.bin"


def test_a_folder_is_taken_with_its_escapes(tmp_path: Path) -> None:
    folder = tmp_path / "with space"

    store = open_store(folder.as_uri())
    store.put("a/b c.txt", b"x")

    assert store.url == folder.as_uri()
    assert store.uri("a/b c.txt") == f"{folder.as_uri()}/a/b%20c.txt"
    assert (folder / "a" / "b c.txt").read_bytes() == b"x"


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/some/prefix"])
def test_a_bucket_keeps_its_prefix_and_asks_for_nothing_yet(url: str) -> None:
    store = open_store(f"{url}/", endpoint_url="http://127.0.0.1:9")

    assert store.url == url
    assert store.uri("a/b") == f"{url}/a/b"


def test_an_endpoint_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="MASKPOOL_S3_ENDPOINT_URL"):
        open_store("s3://bucket", endpoint_url="no url")


def test_boto3_is_imported_for_buckets_only() -> None:
    code = (
        "import sys, producer.sources, storage.images.fetch; from storage import objects; "
        "objects.open_store('file:///tmp/x'); assert 'boto3' not in sys.modules; "
        "objects.open_store('s3://bucket'); assert 'boto3' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

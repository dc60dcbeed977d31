"""What every object store promises, asked of each; then what only a bucket can do wrong."""

from __future__ import annotations

import hashlib
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as boto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.s3_server import S3Server

from maskpool.domain import new_id
from maskpool.errors import (
    ConfigError,
    CredentialsError,
    ImageError,
    NoAccess,
    NotFound,
    Permanent,
    SourceError,
    TooLarge,
    Unreachable,
)
from maskpool.ports import ObjectStore
from maskpool.settings import Settings
from producer.sources import open_source
from producer.sources.passed import passed_over
from storage.images.fetch import Fetcher
from storage.objects import open_store
from storage.objects.s3 import S3Store, make_client


@pytest.fixture(params=["s3", "rclone"])
def any_bucket(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Endpoint URL and name of a fresh bucket, on either server."""
    endpoint, bucket = request.getfixturevalue(f"{request.param}_bucket")
    return endpoint, bucket


@pytest.fixture(params=["folder", "s3", "s3 at the root", "rclone"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store((tmp_path / "objects").as_uri())
    server, *root = request.param.split(" ", 1)
    endpoint, bucket = request.getfixturevalue(f"{server}_bucket")
    prefix = "" if root else "/some/prefix"
    return open_store(f"s3://{bucket}{prefix}", endpoint_url=endpoint)


def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def test_what_was_put_is_got(store: ObjectStore) -> None:
    store.put("a/b.bin", b"\0\xff" * 1000)
    store.put("empty", b"", "text/plain")

    assert store.get("a/b.bin") == b"\0\xff" * 1000
    assert store.get("empty") == b""
    assert store.size("a/b.bin") == 2000
    assert store.size("empty") == 0


def test_putting_again_replaces(store: ObjectStore) -> None:
    store.put("a", b"first, and longer")
    store.put("a", b"second")

    assert store.get("a") == b"second"
    assert [(info.key, info.size) for info in store.list("")] == [("a", 6)]


@pytest.mark.parametrize("size", [0, 5, 17 * 1024 * 1024 + 1])
def test_a_file_arrives_whole_in_one_part_or_many(
    store: ObjectStore, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "file"
    data = hashlib.shake_128(b"seed").digest(size)
    path.write_bytes(data)

    store.put_file("f/large", path)

    assert store.size("f/large") == size
    assert hashlib.sha256(store.get("f/large")).digest() == hashlib.sha256(data).digest()


def pieces(size: int, piece: int = 700_001) -> Iterator[bytes]:
    """``size`` bytes in odd pieces, made while they are read."""
    for start in range(0, size, piece):
        yield hashlib.shake_128(str(start).encode()).digest(min(piece, size - start))


@pytest.mark.parametrize("size", [0, 5, 8 * 1024 * 1024, 17 * 1024 * 1024 + 1])
def test_a_stream_arrives_whole(store: ObjectStore, size: int) -> None:
    data = b"".join(pieces(size))

    assert store.put_stream("s/a", pieces(size), size) == (size, hashlib.sha256(data).hexdigest())

    assert store.get("s/a") == data
    assert keys_of(store) == ["s/a"]


class BreaksOff(Exception):
    """What reads the other end of a stream raises."""


def broken(size: int) -> Iterator[bytes]:
    yield from pieces(size)
    raise BreaksOff


@pytest.mark.parametrize("size", [5, 20 * 1024 * 1024])
def test_a_stream_that_breaks_off_or_is_too_large_leaves_nothing(
    store: ObjectStore, size: int
) -> None:
    store.put("s/there", b"before")
    for key in ("s/a", "s/there"):
        with pytest.raises(BreaksOff):
            store.put_stream(key, broken(size), size)
        with pytest.raises(TooLarge, match=f"more than {size - 1:,} bytes"):
            store.put_stream(key, pieces(size), size - 1)
    assert keys_of(store) == ["s/there"]
    assert store.get("s/there") == b"before"
    assert list(store.sweep(0.0)) == []


def test_parts_of_a_stream_that_broke_off_are_dropped(any_bucket: tuple[str, str]) -> None:
    endpoint, bucket = any_bucket
    with pytest.raises(BreaksOff):
        open_store(f"s3://{bucket}", endpoint_url=endpoint).put_stream(
            "a", broken(20 * 1024 * 1024), 1 << 30
        )
    waiting = make_client(endpoint).list_multipart_uploads(Bucket=bucket)
    assert waiting.get("Uploads", []) == []


def test_a_stream_takes_little_memory(store: ObjectStore) -> None:
    size, piece = 64 * 1024 * 1024, bytes(256 * 1024)
    store.put_stream("warm", iter([piece]), 1 << 30)
    tracemalloc.start()
    try:
        store.put_stream("a", (piece for _ in range(size // len(piece))), size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * 1024 * 1024
    assert store.size("a") == size


def test_a_file_that_is_not_there_is_named(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: cannot be read: No such file"):
        store.put_file("a", tmp_path / "nowhere")
    assert store.size("a") is None


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 10, b"0123456789"),
        (0, 3, b"012"),
        (4, 3, b"456"),
        (4, None, b"456789"),
        (8, 100, b"89"),
        (0, 0, b""),
        (5, 0, b""),
        (10, None, b""),
        (10, 5, b""),
        (99, 5, b""),
    ],
)
def test_a_part_is_read(
    store: ObjectStore, offset: int, length: int | None, expected: bytes
) -> None:
    store.put("digits", b"0123456789")

    assert store.get("digits", offset, length) == expected


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (-5, 3)])
def test_a_negative_part_is_a_bug_of_the_caller(
    store: ObjectStore, offset: int, length: int | None
) -> None:
    store.put("digits", b"0123456789")
    with pytest.raises(ValueError, match="negative"):
        store.get("digits", offset, length)


@pytest.mark.parametrize("part", [(0, None), (3, 5), (0, 0)])
def test_what_is_not_there_is_not_found(store: ObjectStore, part: tuple[int, int | None]) -> None:
    store.put("a/b", b"x")

    with pytest.raises(NotFound, match="a/c"):
        store.get("a/c", *part)
    with pytest.raises(NotFound):
        store.get("a", *part)
    assert store.size("a/c") is None
    assert store.size("a") is None


def test_a_listing_is_sorted_by_utf8_bytes_and_takes_any_prefix(store: ObjectStore) -> None:
    keys = [
        "a/b",
        "a.txt",
        "a-b",
        "ab",
        "a/b.c/d",
        "a/b/",
        "B",
        "a/ü",
        "a/z",
        "a/\U0001f600",
        "a/豈",
    ]
    keys = [key for key in keys if not key.endswith("/") and key != "a/b"]
    for key in keys:
        store.put(key, key.encode())

    in_order = sorted(keys, key=str.encode)
    assert keys_of(store) == in_order
    assert [info.size for info in store.list("")] == [len(key.encode()) for key in in_order]
    for prefix in ("a", "a/", "a/b", "a/b.", "a/b.c/", "a/b.c/d", "ab", "x", "x/y/z", "a/ü/x"):
        assert keys_of(store, prefix) == [key for key in in_order if key.startswith(prefix)]


def test_deleting_is_idempotent(store: ObjectStore) -> None:
    store.put("a/b", b"x")
    store.put("a/c", b"x")

    assert store.delete(["a/b", "a/never", "n/e/v/er", "a/b"]) == 4
    assert keys_of(store) == ["a/c"]
    assert store.delete([]) == 0


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../../b", "a\\b", "a\0b"])
def test_a_key_that_is_none_is_refused_by_every_method(
    store: ObjectStore, tmp_path: Path, key: str
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for method in (
        lambda: store.put(key, b"x"),
        lambda: store.put_file(key, tmp_path / "file"),
        lambda: store.get(key),
        lambda: store.size(key),
        lambda: store.delete([key]),
        lambda: store.uri(key),
    ):
        with pytest.raises(Permanent, match="no object key"):
            method()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/\\\0\r"), min_size=1, max_size=20)
        .filter(lambda part: part.strip(". ") != "")
        .filter(lambda part: len(part.encode()) < 200),
        min_size=1,
        max_size=3,
    ),
    data=st.binary(max_size=100),
)
def test_any_sensible_key_survives(
    store: ObjectStore, request: pytest.FixtureRequest, parts: list[str], data: bytes
) -> None:
    key = "/".join(parts)
    if "s3" in request.node.callspec.params["store"] and not _moto_takes(key):
        return
    store.put(key, data)
    try:
        assert store.get(key) == data
        assert keys_of(store) == [key]
    finally:
        store.delete([key])
    assert keys_of(store) == []


def _moto_takes(key: str) -> bool:
    """Moto's XML cannot hold control characters."""
    return key.isprintable()


def test_many_threads_share_a_store(store: ObjectStore) -> None:
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            store.put(f"t/{name}", str(name).encode() * 1000)
            assert store.get(f"t/{name}") == str(name).encode() * 1000
        except BaseException as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(keys_of(store, "t/")) == 12


# What only a bucket can do wrong.


@pytest.mark.parametrize("size", [100, 17 * 1024 * 1024])
def test_what_is_damaged_on_its_way_is_not_stored(
    rclone_bucket: tuple[str, str], tmp_path: Path, size: int
) -> None:
    client = make_client(rclone_bucket[0])
    store = S3Store(client, rclone_bucket[1])
    path = tmp_path / "file"
    path.write_bytes(bytes(size))

    def damage(request: Any, **_: Any) -> None:
        body = request.body if isinstance(request.body, bytes) else request.body.read()
        request.body = b"x" + body[1:]

    for name in ("PutObject", "UploadPart"):
        client.meta.events.register(f"before-send.s3.{name}", damage)
    with pytest.raises(Unreachable, match="did not arrive whole"):
        store.put_file("a", path)
    assert keys_of(store) == []


def test_a_part_is_read_of_what_another_program_stored_with_a_checksum(
    rclone_bucket: tuple[str, str], rclone_server: S3Server
) -> None:
    with closing(rclone_server.client(request_checksum_calculation="when_supported")) as client:
        client.put_object(Bucket=rclone_bucket[1], Key="digits", Body=b"0123456789")
    store = open_store(f"s3://{rclone_bucket[1]}", endpoint_url=rclone_bucket[0])

    # The server sends the checksum of the whole with a part, which boto3 would compare.
    assert store.get("digits", 2, 3) == b"234"
    assert store.get("digits") == b"0123456789"


def test_a_long_listing_comes_in_pages(any_bucket: tuple[str, str]) -> None:
    store = open_store(f"s3://{any_bucket[1]}/x", endpoint_url=any_bucket[0])
    expected = sorted(f"p/{number}" for number in range(1050))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put(key, b""), expected))

    assert keys_of(store, "p/") == expected
    assert store.delete(iter(expected)) == 1050
    assert keys_of(store) == []


@pytest.mark.parametrize("name", ["a\x01b", "a\ufffeb", "\x7f\x1f"])
def test_a_name_that_xml_cannot_hold_is_deleted_with_the_others(
    rclone_bucket: tuple[str, str], name: str
) -> None:
    store = open_store(f"s3://{rclone_bucket[1]}/x", endpoint_url=rclone_bucket[0])
    for key in ("first", name, "last"):
        store.put(key, b"x")

    assert store.delete(iter(["first", name, f"{name}-never", "last"])) == 4
    assert keys_of(store) == []
    assert store.delete([name]) == 1


def test_a_missing_bucket_is_a_setting_to_correct(any_bucket: tuple[str, str]) -> None:
    store = open_store("s3://no-such-bucket-here", endpoint_url=any_bucket[0])

    for method in (
        lambda: store.put("a", b""),
        lambda: store.get("a"),
        lambda: store.size("a"),
        lambda: list(store.list("")),
        lambda: store.delete(["a"]),
    ):
        with pytest.raises(ConfigError, match="no bucket 'no-such-bucket-here'"):
            method()


def test_no_credentials_is_a_setting_to_correct(
    any_bucket: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = open_store(f"s3://{any_bucket[1]}", endpoint_url=any_bucket[0])

    with pytest.raises(ConfigError, match="AWS_ACCESS_KEY_ID"):
        store.put("a", b"")


@contextmanager
def server(answer: Any) -> Iterator[str]:
    """An HTTP server that answers every request by ``answer(handler, how many came before)``."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # answers "Expect: 100-continue", which clients wait for

        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self, len(asked) - 1)
            self.close_connection = True

        do_PUT = do_HEAD = do_POST = do_GET  # noqa: N815 - the names are the server's

        def log_message(self, *args: object) -> None:
            pass

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def refusing(status: int, code: str) -> Any:
    body = f"<Error><Code>{code}</Code><Message>key AKIASECRET is bad</Message></Error>".encode()

    def answer(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("status", "code", "kind", "sentence"),
    [
        (403, "AccessDenied", ConfigError, "access denied"),
        (403, "InvalidAccessKeyId", ConfigError, "access denied"),
        (403, "SignatureDoesNotMatch", ConfigError, "credentials"),
        (403, "RequestTimeTooSkewed", Unreachable, "clock of this machine"),
        (400, "InvalidArgument", ConfigError, "refuses this"),
        (400, "AuthorizationHeaderMalformed", ConfigError, "region .*AWS_DEFAULT_REGION"),
        (503, "SlowDown", Unreachable, "SlowDown"),
        (500, "InternalError", Unreachable, "InternalError"),
    ],
)
def test_refusals_of_a_server_become_sentences_without_secrets(
    status: int,
    code: str,
    kind: type[Exception],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with server(refusing(status, code)) as endpoint:
        store = open_store("s3://bucket", endpoint_url=endpoint)
        for method in (lambda: store.put("a", b"x"), lambda: store.get("a")):
            with pytest.raises(kind, match=sentence) as caught:
                method()
            assert "AKIASECRET" not in str(caught.value)
            assert "s3://bucket" in str(caught.value)


def test_a_dead_server_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        store = open_store("s3://b-u-c", endpoint_url=f"http://127.0.0.1:{free.getsockname()[1]}")
        for method in (
            lambda: store.put("a", b""),
            lambda: store.get("a"),
            lambda: store.size("a"),
            lambda: list(store.list("")),
            lambda: store.delete(["a"]),
        ):
            with pytest.raises(Unreachable, match="s3://b-u-c is unreachable"):
                method()


@pytest.mark.parametrize("breaks", [2, 99])
def test_a_body_that_breaks_off_is_read_again_and_then_given_up(
    breaks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)

    def answer(handler: BaseHTTPRequestHandler, before: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"0123456789"[: 4 if before < breaks else 10])

    with server(answer) as endpoint:
        store = open_store("s3://bucket", endpoint_url=endpoint)
        if breaks == 2:
            assert store.get("a") == b"0123456789"
        else:
            with pytest.raises(Unreachable):
                store.get("a")


# Buckets as sources, from the listing to the bytes a worker reads.

PIXEL = bytes.fromhex(
    "424d3a0000000000000036000000280000000100000001000000010018000000000004000000000000000000"
    "0000000000000000000010203000"
)


@pytest.fixture
def sources(any_bucket: tuple[str, str]) -> tuple[str, str]:
    endpoint, bucket = any_bucket
    store = open_store(f"s3://{bucket}", endpoint_url=endpoint)
    for key in ("photos/b.JPG", "photos/a/1.bmp", "photos/readme.txt", "photos/.x/c.jpg", "e.png"):
        store.put(key, PIXEL)
    return endpoint, bucket


def test_a_bucket_is_a_source(sources: tuple[str, str]) -> None:
    endpoint, bucket = sources

    source = open_source(f"s3://{bucket}/photos/", endpoint_url=endpoint)
    whole = open_source(f"s3://{bucket}", endpoint_url=endpoint)

    assert source.kind == "s3"
    assert source.root is None
    assert [(ref.name, ref.uri) for ref in source.refs()] == [
        ("a/1.bmp", f"s3://{bucket}/photos/a/1.bmp"),
        ("b.JPG", f"s3://{bucket}/photos/b.JPG"),
    ]
    assert [ref.name for ref in whole.refs()] == ["e.png", "photos/a/1.bmp", "photos/b.JPG"]
    assert source.places("b.JPG") == [f"s3://{bucket}/photos/b.JPG"]


@pytest.mark.parametrize("key", ["e.png", "photos/b.JPG", "photos/.x/c.jpg"])
def test_one_object_is_a_source(sources: tuple[str, str], key: str) -> None:
    endpoint, bucket = sources
    source = open_source(f"s3://{bucket}/{key}", endpoint_url=endpoint)
    assert [ref.uri for ref in source.refs()] == [f"s3://{bucket}/{key}"]


def test_what_a_bucket_passes_over_is_counted(s3_bucket: tuple[str, str]) -> None:
    endpoint, bucket = s3_bucket  # rclone keeps files, so it has no such keys
    client = make_client(endpoint)
    for key in ("photos/b.JPG", "photos/a/1.bmp", "photos/readme.txt", "photos/.x/c.jpg"):
        client.put_object(Bucket=bucket, Key=key, Body=PIXEL)
    for key in ("photos/x//1.jpg", "photos/a\\2.jpg", "photos/empty/"):
        client.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else PIXEL)
    source = open_source(f"s3://{bucket}/photos", endpoint_url=endpoint)
    assert [ref.name for ref in source.refs()] == ["a/1.bmp", "b.JPG"]
    counts = {"key that cannot be a name": 2, ".txt": 1, "hidden file": 1}
    assert passed_over(source).counts == counts


def test_a_prefix_is_a_folder_and_must_exist(sources: tuple[str, str]) -> None:
    endpoint, bucket = sources

    with pytest.raises(SourceError, match="no object below this prefix"):
        open_source(f"s3://{bucket}/photo", endpoint_url=endpoint)
    with pytest.raises(SourceError, match="no bucket 'never-made'"):
        open_source("s3://never-made/photos", endpoint_url=endpoint)
    with pytest.raises(SourceError, match="must be a local file"):
        open_source(f"s3://{bucket}/list.csv", endpoint_url=endpoint)
    with pytest.raises(SourceError, match="bucket's name"):
        open_source("s3://", endpoint_url=endpoint)


def test_a_worker_reads_from_its_store_and_from_named_buckets(sources: tuple[str, str]) -> None:
    endpoint, bucket = sources
    own = open_store(f"s3://{bucket}/photos", endpoint_url=endpoint)
    closed = Fetcher(own, Settings(s3_endpoint_url=endpoint))
    opened = Fetcher(own, Settings(s3_endpoint_url=endpoint, source_buckets=(bucket,)))
    batch_id = new_id()
    own.put(f"sources/{batch_id}/1.bmp", PIXEL)

    fetched = closed.fetch(own.uri(f"sources/{batch_id}/1.bmp"), batch_id)
    assert fetched.image.tolist() == [[[0x30, 0x20, 0x10]]]
    assert fetched.sha256 == hashlib.sha256(PIXEL).hexdigest()
    assert opened.read(f"s3://{bucket}/e.png") == PIXEL

    for uri in (f"s3://{bucket}/e.png", "s3://other/x.png", f"s3://{bucket}/photosx/a.png"):
        with pytest.raises(ImageError, match="MASKPOOL_SOURCE_BUCKETS"):
            closed.read(uri)
    for uri in (f"s3://{bucket}/photos/../e.png", f"s3://{bucket}/", f"s3://{bucket}"):
        with pytest.raises(ImageError, match="s3://bucket/key is one"):
            closed.read(uri)


def test_a_worker_says_what_is_wrong_with_an_object(sources: tuple[str, str]) -> None:
    endpoint, bucket = sources
    own = open_store(f"s3://{bucket}", endpoint_url=endpoint)
    fetcher = Fetcher(own, Settings(s3_endpoint_url=endpoint, max_image_bytes=len(PIXEL)))
    tight = Fetcher(own, Settings(s3_endpoint_url=endpoint, max_image_bytes=len(PIXEL) - 1))

    assert fetcher.read(own.uri("e.png")) == PIXEL, "beside the store's own prefixes"
    with pytest.raises(ImageError, match=f"there is no object s3://{bucket}/photos/never.png"):
        fetcher.fetch(own.uri("photos/never.png"))
    with pytest.raises(ImageError, match="58 bytes, more than the 57 allowed"):
        tight.fetch(own.uri("e.png"))
    lost = Fetcher(own, Settings(s3_endpoint_url=endpoint, source_buckets=("lost-bucket",)))
    with pytest.raises(ImageError, match="no bucket 'lost-bucket'"):
        lost.fetch("s3://lost-bucket/a.png")


def reader(endpoint: str) -> Fetcher:
    own = open_store("s3://own/pool", endpoint_url=endpoint)
    return Fetcher(own, Settings(s3_endpoint_url=endpoint, source_buckets=("theirs",)))


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
def test_a_refusing_bucket_is_the_images_error_unless_it_is_the_pools_own(code: str) -> None:
    with server(refusing(404 if code == "NoSuchBucket" else 403, code)) as endpoint:
        with pytest.raises(ImageError, match=r"access denied|no bucket 'theirs'"):
            reader(endpoint).fetch("s3://theirs/a.jpg")
        with pytest.raises(NoAccess, match=r"access denied.*AWS_|no bucket 'own'; create it"):
            reader(endpoint).fetch("s3://own/pool/uploads/a.jpg")


@pytest.mark.parametrize("uri", ["s3://own/pool/uploads/a.jpg", "s3://theirs/a.jpg"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (400, "TokenRefreshRequired"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
    ],
)
def test_bad_credentials_are_no_images_fault_wherever_it_lies(
    uri: str, status: int, code: str
) -> None:
    with server(refusing(status, code)) as endpoint:
        with pytest.raises(NoAccess, match=rf"{code}.*credentials in AWS_\*") as caught:
            reader(endpoint).fetch(uri)
        assert "AKIASECRET" not in str(caught.value)
        with pytest.raises(CredentialsError, match="AWS_"):  # the command line ends with status 2
            open_store("s3://own/pool", endpoint_url=endpoint).get("a.jpg")


@pytest.mark.parametrize("uri", ["s3://own/pool/uploads/a.jpg", "s3://theirs/a.jpg"])
@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.CredentialRetrievalError(provider="iam-role", error_msg="timed out"),
        boto.UnauthorizedSSOTokenError(),
    ],
)
def test_nor_are_credentials_that_are_not_to_be_had(
    uri: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("botocore.signers.RequestSigner.sign", fail)
    with pytest.raises(NoAccess, match=r"credentials|AWS configuration"):
        reader("http://127.0.0.1:9").fetch(uri)
    with pytest.raises(CredentialsError):
        open_store("s3://own/pool", endpoint_url="http://127.0.0.1:9").get("a.jpg")


def test_a_silent_server_is_no_images_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with server(refusing(403, "AccessDenied")) as endpoint:
        fetcher = reader(endpoint)
    with pytest.raises(Unreachable):
        fetcher.fetch("s3://theirs/a.jpg")

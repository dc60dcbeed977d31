"""The object store in a bucket, on AWS or anything that speaks its API."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore import exceptions as boto
from botocore.config import Config
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from maskpool.domain import ObjectInfo
from maskpool.errors import (
    ConfigError,
    NotFound,
    Permanent,
    SourceError,
    Unreachable,
)
from storage.objects.checksums import content_md5, hash_parts
from storage.objects.keys import MAX_KEY_BYTES, checked, fits_xml
from storage.objects.s3_errors import (
    BROKEN_BODY,
    DAMAGED,
    error_code,
    no_bucket,
    refused,
    translated,
)
from storage.objects.streams import Measured, in_parts

_PART_BYTES = 16 * 1024 * 1024

#: Of a stream, which many requests may have in memory at once; S3 takes 10,000 of at least 5 MiB.
_STREAM_PART_BYTES = 8 * 1024 * 1024
_DELETE_AT_ONCE = 1000

_DEFAULT_REGION = "us-east-1"

#: One call ends within about ``_TRIES`` × ``_READ_SECONDS``, even if the server never answers: well
#: before a worker that waits for it is taken for stalled (``stall_seconds``).
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0
_TRIES = 3

#: How long a body that breaks off is requested again.
_BODY_SECONDS = 30.0


class _BrokenOff(Exception):
    """A body ended early; its cause is what boto3 raised."""


def make_client(endpoint_url: str = "") -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """An S3 client that threads may share, with timeouts and few retries with jitter.

    Raises:
        ConfigError: The endpoint or the AWS configuration is not valid.
    """
    config = Config(
        signature_version="s3v4",
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=32,
        tcp_keepalive=True,
        # A server behind its own host name seldom has a name for each bucket.
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # Several compatible servers fail on AWS's newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        # A session of its own: boto3's default one is not safe to use from several threads.
        session = boto3.session.Session()
        client = session.client(
            "s3",
            endpoint_url=endpoint_url or None,
            region_name=session.region_name or _DEFAULT_REGION,
            config=config,
        )
    except (boto.BotoCoreError, ValueError) as error:
        raise ConfigError(
            f"the S3 client cannot be made: {error}; check MASKPOOL_S3_ENDPOINT_URL and AWS_*"
        ) from None
    hash_parts(client)
    return client


class S3Store:
    """Objects under ``s3://bucket/prefix``; see ``maskpool.ports.ObjectStore`` for the contract."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:  # noqa: ANN401
        self._client = client
        self._bucket = bucket
        prefix = prefix.strip("/")
        self._base = f"{checked(prefix)}/" if prefix else ""
        self._bucket_seen = False

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``, without a slash at its end."""
        return f"s3://{self._bucket}/{self._base}".rstrip("/")

    def uri(self, key: str) -> str:
        """``s3://bucket/prefix/key``."""
        return f"s3://{self._bucket}/{self._full(key)}"

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """See ``ObjectStore.put``."""
        full = self._full(key)
        with translated(self._bucket, full):
            self._client.put_object(
                Bucket=self._bucket,
                Key=full,
                Body=data,
                ContentType=content_type,
                # Without a checksum, a server would accept a body that a broken proxy cut off.
                ContentMD5=content_md5(data),
            )

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore.put_file``; large files go in parts, which are dropped on failure."""
        full = self._full(key)
        try:
            file = path.open("rb")
        except OSError as error:
            raise SourceError(str(path), f"cannot be read: {error.strerror}") from None
        transfer = TransferConfig(
            multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4
        )
        with file:
            size = path.stat().st_size
            if size < _PART_BYTES:
                self.put(key, file.read())
                return
            with translated(self._bucket, full):
                self._client.upload_fileobj(file, self._bucket, full, Config=transfer)
        if self.size(key) != size:  # a server may check no hash
            raise Unreachable(f"the object store s3://{self._bucket}", DAMAGED)

    def put_stream(self, key: str, chunks: Iterable[bytes], limit: int) -> tuple[int, str]:
        """See ``ObjectStore.put_stream``; what fits into one part goes in one request."""
        measured = Measured(chunks, limit)
        parts = in_parts(measured, _STREAM_PART_BYTES)
        first = next(parts, b"")
        if len(first) < _STREAM_PART_BYTES:
            self.put(key, first)
            return measured.size, measured.sha256
        parts = itertools.chain([first], parts)
        del first  # else it stays until the last one is sent
        self._put_parts(self._full(key), parts)
        if self.size(key) != measured.size:  # a server may check no hash
            raise Unreachable(f"the object store s3://{self._bucket}", DAMAGED)
        return measured.size, measured.sha256

    def _put_parts(self, full: str, parts: Iterable[bytes]) -> None:
        """Upload in parts; nothing of it stays where anything goes wrong."""
        which = {"Bucket": self._bucket, "Key": full}
        with translated(self._bucket, full):
            which["UploadId"] = self._client.create_multipart_upload(**which)["UploadId"]
        try:
            sent = []
            for number, part in enumerate(parts, 1):
                with translated(self._bucket, full):
                    reply = self._client.upload_part(**which, PartNumber=number, Body=part)
                sent.append({"PartNumber": number, "ETag": reply["ETag"]})
                del part  # else it stays while the next one comes
            with translated(self._bucket, full):
                self._client.complete_multipart_upload(**which, MultipartUpload={"Parts": sent})
        except BaseException:
            # A rule of the bucket clears away what cannot be dropped now.
            with suppress(Exception):
                self._client.abort_multipart_upload(**which)
            raise

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """See ``ObjectStore.get``."""
        return read_object(self._client, self._bucket, self._full(key), offset, length)

    def size(self, key: str) -> int | None:
        """See ``ObjectStore.size``."""
        full = self._full(key)
        try:
            with translated(self._bucket, full):
                size = self._client.head_object(Bucket=self._bucket, Key=full)["ContentLength"]
        except NotFound:
            self._see_bucket()
            return None
        self._bucket_seen = True
        return int(size)

    def _see_bucket(self) -> None:
        """HEAD answers 404 for a missing object and a missing bucket alike: ask for the bucket."""
        if self._bucket_seen:
            return
        try:
            with translated(self._bucket, ""):
                self._client.head_bucket(Bucket=self._bucket)
        except NotFound:
            raise ConfigError(no_bucket(self._bucket)) from None
        self._bucket_seen = True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ``ObjectStore.list``; a page of 1,000 is asked for at a time."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._base + prefix
        )
        with translated(self._bucket, self._base + prefix):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield ObjectInfo(item["Key"].removeprefix(self._base), int(item["Size"]))

    def delete(self, keys: Iterable[str]) -> int:
        """See ``ObjectStore.delete``; a thousand a request."""
        waiting = iter(keys)
        asked = 0
        while block := [self._full(key) for key in itertools.islice(waiting, _DELETE_AT_ONCE)]:
            self._delete_block([key for key in block if fits_xml(key)])
            for key in itertools.filterfalse(fits_xml, block):
                self._delete_one(key)
            asked += len(block)
        return asked

    def sweep(self, older_than: float, *, dry_run: bool = False) -> Iterator[int]:  # noqa: ARG002 - there is nothing to sweep
        """See ``ObjectStore.sweep``: a bucket shows no half-written object, so there is none.

        Parts of a killed upload take space until a lifecycle rule of the bucket deletes them.
        """
        return iter(())

    def _delete_one(self, full_key: str) -> None:
        """The key stands in the request's line: the list of many is XML, which cannot hold it."""
        with suppress(NotFound), translated(self._bucket, full_key):
            self._client.delete_object(Bucket=self._bucket, Key=full_key)

    def _delete_block(self, full_keys: builtins.list[str]) -> None:
        if not full_keys:
            return
        wanted = {"Objects": [{"Key": key} for key in full_keys], "Quiet": True}
        with translated(self._bucket, full_keys[0]):
            reply = self._client.delete_objects(Bucket=self._bucket, Delete=wanted)
        for failed in reply.get("Errors", ()):
            if failed.get("Code") != "NoSuchKey":
                raise refused(self._bucket, str(failed.get("Key")), str(failed.get("Code")), 0)

    def _full(self, key: str) -> str:
        full = self._base + checked(key)
        if len(full.encode()) > MAX_KEY_BYTES:
            raise Permanent(
                f"{full[:200]!r} is no object key: with the store's prefix it has more than "
                f"{MAX_KEY_BYTES} bytes"
            )
        return full


def read_object(
    client: Any,  # noqa: ANN401
    bucket: str,
    key: str,
    offset: int = 0,
    length: int | None = None,
    *,
    max_bytes: int | None = None,
) -> bytes:
    """Read an object or a part of it, again from its start where the connection breaks off.

    Args:
        client: As ``make_client`` makes it.
        bucket: The bucket's name.
        key: The object's key, the store's prefix included.
        offset: First byte.
        length: Bytes from there; None for all. Fewer come back where the object ends before.
        max_bytes: Refuse a larger answer before its body is read.

    Raises:
        NotFound: There is no such object.
        Permanent: The answer is larger than ``max_bytes``.
        ConfigError: The bucket is missing or refuses us; ``CredentialsError`` where all do.
        Unreachable: The server does not answer, or breaks off again and again.
    """
    if offset < 0 or (length is not None and length < 0):
        msg = f"offset {offset} and length {length} must not be negative"
        raise ValueError(msg)
    wanted = {"Bucket": bucket, "Key": key}
    if offset or length is not None:
        # S3 knows no empty range: the shortest one tells whether the object is there at all.
        last = "" if length is None else str(offset + max(length, 1) - 1)
        wanted["Range"] = f"bytes={offset}-{last}"
    again = Retrying(
        # Only the body: before it, the client has tried often enough by itself.
        retry=retry_if_exception_type(_BrokenOff),
        stop=stop_after_attempt(3) | stop_after_delay(_BODY_SECONDS),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    with translated(bucket, key):
        try:
            data: bytes = again(_read_once, client, wanted, max_bytes)
        except boto.ClientError as error:
            if error_code(error) in ("InvalidRange", "416"):  # the object ends before the offset
                return b""
            raise
        except _BrokenOff as error:
            raise error.__cause__ or error from None
    return data[:length] if length is not None else data


def _read_once(client: Any, wanted: dict[str, str], max_bytes: int | None) -> bytes:  # noqa: ANN401
    reply = client.get_object(**wanted)
    with closing(reply["Body"]) as body:  # as a context manager itself it would skip its checks
        size = reply.get("ContentLength")
        if max_bytes is not None and (size is None or size > max_bytes):
            told = "an unknown number of" if size is None else f"{size:,}"
            raise Permanent(f"it has {told} bytes, more than the {max_bytes:,} allowed")
        try:
            return bytes(body.read())
        except BROKEN_BODY as error:
            raise _BrokenOff from error

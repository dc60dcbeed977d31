"""Object stores: a bucket or a folder, through the one port ``ObjectStore``."""

from __future__ import annotations

from pathlib import Path

from maskpool.errors import ConfigError
from maskpool.ports import ObjectStore
from storage.uris import path_of, split_s3

_SETTING = "MASKPOOL_STORE_URL"
_EXPECTED = "write s3://bucket/prefix or file:///absolute/folder"


def open_store(url: str, *, endpoint_url: str = "") -> ObjectStore:
    """The object store that a URL names; nothing is requested of it yet.

    Args:
        url: ``s3://bucket/prefix`` or ``file:///absolute/folder``.
        endpoint_url: Of an S3-compatible server; empty for AWS.

    Raises:
        ConfigError: The URL or the endpoint is not valid; never repeats what may hold a password.
    """
    scheme, separator, _ = url.partition("://")
    if separator and scheme == "s3":
        return _open_bucket(url, endpoint_url)
    if separator and scheme == "file":
        return _open_folder(url)
    given = f"{scheme[:20]!r}" if separator else "no '://'"
    raise ConfigError(f"{_SETTING}: {_EXPECTED}; its scheme is {given}")


def _open_bucket(url: str, endpoint_url: str) -> ObjectStore:
    place = split_s3(url)
    if place is None:
        raise ConfigError(
            f"{_SETTING}: what follows s3:// must be a bucket's name; credentials belong into "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the server into MASKPOOL_S3_ENDPOINT_URL"
        )
    from storage.objects.s3 import S3Store, make_client  # noqa: PLC0415 - boto3 takes a third of a second

    return S3Store(make_client(endpoint_url), place[0], place[1])


def _open_folder(url: str) -> ObjectStore:
    from storage.objects.folder import FolderStore  # noqa: PLC0415 - as its sibling

    path = path_of(url)
    if path is None:
        raise ConfigError(
            f"{_SETTING}: a folder is written with three slashes and an absolute path, e.g. "
            "file:///var/lib/maskpool/objects"
        )
    return FolderStore(Path(path))

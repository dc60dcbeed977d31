"""A bucket's prefix, or one object in it, as a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from maskpool.domain import ImageRef, ObjectInfo
from maskpool.errors import ConfigError, SourceError
from maskpool.ports import ObjectStore
from producer import marks
from producer.sources import names
from producer.sources import passed as kinds
from producer.sources.passed import PassedOver
from producer.sources.single import SingleSource
from producer.sources.walk import refused_as_ours
from storage.objects import keys, open_store
from storage.uris import split_s3

_IMAGE, _FOLDER = "image", "folder"


def open_bucket(
    text: str, endpoint_url: str = "", own_store: str = ""
) -> BucketSource | SingleSource:
    """The images below ``s3://bucket/prefix``, which is read as a folder, or the one object there.

    Args:
        text: The source.
        endpoint_url: Of an S3-compatible server; empty for AWS.
        own_store: URL of the pool's store: what lies there is passed over.

    Raises:
        SourceError: There is no such bucket, neither an object nor anything below the prefix, or
            both; the object is no image; or it may not be read.
        Unreachable: The server does not answer.
    """
    place = split_s3(text)
    if place is None:
        reason = "what follows s3:// must be a bucket's name"
        raise SourceError(text, reason, code="place.address", params={"place": text})
    bucket, key = place
    prefix = key.strip("/")
    if prefix.lower().endswith(names.LIST_SUFFIXES):
        reason = "a manifest must be a local file; its lines may name s3:// objects"
        raise SourceError(text, reason, code="place.manifest", params={"place": text})
    store = open_store(f"s3://{bucket}", endpoint_url=endpoint_url)
    prefix = f"{prefix}/" if prefix else ""
    source = BucketSource(text, store, prefix, _skipped(own_store, store.url))
    is_object = key[-1:] not in ("", "/") and _has(text, store, key, whole=True)
    has_objects = _has(text, store, source.prefix)
    if is_object and has_objects and names.is_image(key):
        raise SourceError(
            text,
            "is an object, and a prefix of others; write a slash at its end for those below it, "
            "or name the object in a .txt",
            code="place.both",
            params={"place": text},
        )
    if is_object and not has_objects:
        return _open_object(text, store, key)
    if not has_objects:
        raise SourceError(
            text,
            "there is no such object, and no object below this prefix; check its spelling",
            code="place.empty",
            params={"place": text},
        )
    return source


def _skipped(own_store: str, bucket: str) -> tuple[str, ...]:
    if not f"{own_store}/".startswith(f"{bucket}/"):
        return ()
    base = f"{own_store.rstrip('/')}/".removeprefix(f"{bucket}/")
    return tuple(f"{base}{start}" for start in keys.ROOTS) if not base else (base,)


def _open_object(text: str, store: ObjectStore, key: str) -> SingleSource:
    """One object, under the last part of its key."""
    name = key.rpartition("/")[2]
    if not names.is_image(name):
        raise SourceError(
            text,
            f"is an object and no image ({', '.join(sorted(names.IMAGE_SUFFIXES))})",
            code="place.no_image",
            params={"place": text},
        )
    names.require(text, name)
    uri = f"{store.url}/{key}"
    return SingleSource(text, "s3", ImageRef(name, uri), uri)


def _has(text: str, store: ObjectStore, prefix: str, *, whole: bool = False) -> bool:
    """Whether anything at all lies below a prefix, or whether the prefix is a whole key itself."""
    # The key itself is the first of all that start with it.
    return any(not whole or info.key == prefix for info in islice(_listed(text, store, prefix), 1))


def _listed(text: str, store: ObjectStore, prefix: str) -> Iterator[ObjectInfo]:
    try:
        yield from store.list(prefix)
    except ConfigError as error:
        params = {"place": text}
        raise SourceError(text, str(error), code="place.closed", params=params) from None


@dataclass(frozen=True, slots=True)
class BucketSource:
    """Every image below a prefix.

    Hidden keys, keys that cannot be names, folders that maskpool wrote and all but images are
    passed over.

    Attributes:
        skipped: What the keys start with that the pool itself wrote.
    """

    text: str
    store: ObjectStore
    prefix: str
    skipped: tuple[str, ...] = ()
    kind: str = "s3"
    root: None = None

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Images sorted by key; holds one page of the listing."""
        passed = PassedOver() if passed is None else passed
        ours = ""
        for info in _listed(self.text, self.store, self.prefix):
            name = info.key.removeprefix(self.prefix)
            if ours and info.key.startswith(ours):
                continue
            ours = self._ours(info.key, name)
            if ours:
                passed.add(kinds.OURS, ours.rstrip("/"))
                continue
            kind = _kind(name, info.size)
            if kind == _IMAGE:
                yield ImageRef(name, f"{self.store.url}/{info.key}")
            elif kind != _FOLDER:
                passed.add(kind, name)

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"{self.store.url}/{self.prefix}{name}"]

    def _ours(self, key: str, name: str) -> str:
        """What every key starts with in the folder of ours that a key lies in; empty for none."""
        for prefix in self.skipped:
            if key.startswith(prefix):
                return prefix
        parts = name.split("/") if ".maskpool-" in name else []
        place = next((place for place, part in enumerate(parts) if part in marks.ALL), None)
        if place is None:
            return ""
        if place == 0:
            raise refused_as_ours(self.text, parts[0])
        # It is listed before all else in its folder: a dot sorts before letters and digits.
        return f"{self.prefix}{'/'.join(parts[:place])}/"


def _kind(name: str, size: int) -> str:
    """``_IMAGE``, ``_FOLDER`` for an empty folder, or the kind of what is passed over."""
    if name.startswith(".") or "/." in name:
        return kinds.HIDDEN_FILE
    if not name or name.endswith("/"):
        return _FOLDER if size == 0 else kinds.ODD_KEY
    if not names.is_image(name):
        return kinds.ending(name)
    return kinds.ODD_KEY if names.refusal(name) else _IMAGE

"""A bucket's prefix as a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from maskpool.domain import ImageRef, ObjectInfo
from maskpool.errors import ConfigError, SourceError
from maskpool.ports import ObjectStore
from producer.sources import names
from storage.objects import open_store
from storage.uris import split_s3


def open_bucket(text: str, endpoint_url: str = "") -> BucketSource:
    """The images below ``s3://bucket/prefix``, which is read as a folder.

    Raises:
        SourceError: There is no such bucket, nothing lies below the prefix, or it may not be read.
        Unreachable: The server does not answer.
    """
    place = split_s3(text)
    if place is None:
        raise SourceError(text, "what follows s3:// must be a bucket's name")
    bucket, prefix = place
    prefix = prefix.strip("/")
    if prefix.lower().endswith((".csv", ".tsv", ".jsonl", ".ndjson", ".manifest", ".txt")):
        raise SourceError(text, "a manifest must be a local file; its lines may name s3:// objects")
    store = open_store(f"s3://{bucket}", endpoint_url=endpoint_url)
    source = BucketSource(text, store, f"{prefix}/" if prefix else "")
    if not source.has_objects():
        raise SourceError(text, "there is no object below this prefix; check its spelling")
    return source


@dataclass(frozen=True, slots=True)
class BucketSource:
    """Every image below a prefix; keys with a part that starts with a dot are passed over."""

    text: str
    store: ObjectStore
    prefix: str
    kind: str = "s3"
    root: None = None

    def has_objects(self) -> bool:
        """Whether anything at all lies below the prefix."""
        return any(True for _ in islice(self._listed(), 1))

    def refs(self) -> Iterator[ImageRef]:
        """Images sorted by key; holds one page of the listing."""
        for info in self._listed():
            name = info.key.removeprefix(self.prefix)
            if not names.is_image(name) or name.startswith(".") or "/." in name:
                continue
            if reason := names.refusal(name):
                raise SourceError(self.text, f"the name {names.shown(name)} {reason}")
            yield ImageRef(name, f"{self.store.url}/{info.key}")

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"{self.store.url}/{self.prefix}{name}"]

    def _listed(self) -> Iterator[ObjectInfo]:
        try:
            yield from self.store.list(self.prefix)
        except ConfigError as error:
            raise SourceError(self.text, str(error)) from None

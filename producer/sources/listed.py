"""A list of addresses of images that came in a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from maskpool.text import counted
from producer.sources import names, web
from producer.sources.allowed import Allowed
from producer.sources.passed import PassedOver
from storage.images.web.urls import is_web, shown_address, split_web
from storage.uris import split_s3


@dataclass(frozen=True, slots=True)
class ListedSource:
    """Images by their addresses, each with its name."""

    images: tuple[ImageRef, ...]
    kind: str = "list"
    root: Path | None = None

    @property
    def text(self) -> str:
        """See ``producer.sources.Source``."""
        return counted(len(self.images), "listed image")

    def refs(self, _passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """See ``producer.sources.Source``."""
        return iter(self.images)

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"images[{n}]" for n, image in enumerate(self.images) if image.name == name]


def listed(uris: Sequence[str], allowed: Allowed) -> ListedSource:
    """The images at some addresses, named by key, or by host and path.

    Args:
        uris: ``s3://bucket/key`` or ``https://host/path`` each.
        allowed: What the workers may read.

    Raises:
        SourceError: One is no such address, or no worker may read it; names its place.
    """
    return ListedSource(tuple(_ref(n, uri, allowed) for n, uri in enumerate(uris)))


def _ref(place: int, uri: str, allowed: Allowed) -> ImageRef:
    name, address, code, reason = (
        _at_bucket(uri, allowed) if "s3://" in uri[:5] else _at_web(uri, allowed)
    )
    if not reason:
        code, reason = "place.name", names.refusal(name)
    if reason:
        params = {"place": shown_address(uri)}
        raise SourceError(f"images[{place}]", reason, code=code, params=params)
    return ImageRef(name, address)


class _Found(NamedTuple):
    """An image's name and address; or a code and a reason why it is none."""

    name: str
    address: str
    code: str
    reason: str


def _at_bucket(uri: str, allowed: Allowed) -> _Found:
    found = split_s3(uri)
    if found is None or not found[1] or found[1].endswith("/"):
        return _Found("", uri, "place.address", "is no object; s3://bucket/key is one")
    return _Found(found[1], uri, "place.workers", allowed.bucket_refusal(uri))


def _at_web(uri: str, allowed: Allowed) -> _Found:
    if not is_web(uri):
        reason = "is no address; write s3://bucket/key or https://host/…, or upload it"
        return _Found("", uri, "place.kind", reason)
    try:
        url = split_web(uri)
    except ValueError as error:
        return _Found("", uri, "place.address", str(error))
    return _Found(web.name_of(url), str(url), "place.workers", web.refusal(url, allowed.hosts))

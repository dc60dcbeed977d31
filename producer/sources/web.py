"""Web images as sources: a single URL, and the name of an image from a URL in a manifest.

No host is resolved and nothing is requested here: whether a host may be read is decided by its
name. Its addresses are checked by the worker, at the moment it connects.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import names
from producer.sources.single import SingleSource
from storage.images.web.urls import WebUrl, host_allowed, split_web

#: What no file in an export should have in its name.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")


def refusal(url: WebUrl, hosts: Collection[str] | None) -> str:
    """Why a pool whose workers read from ``hosts`` reads no such URL, or an empty string.

    Args:
        url: URL of an image.
        hosts: Patterns of host names; None allows every host.
    """
    if hosts is None or host_allowed(url.host, hosts):
        return ""
    return (
        f"workers read from the hosts in MASKPOOL_SOURCE_HOSTS only; add {url.host!r} to it, "
        "on the workers and here"
    )


def name_of(url: WebUrl) -> str:
    """Host and path, without the query: ``images.org/a/1.jpg``."""
    path = _UNFIT.sub("_", url.path)
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/".join([url.host.replace(":", "_"), *parts])


def open_web(
    text: str, list_suffixes: Collection[str], hosts: Collection[str] | None
) -> SingleSource:
    """The one image that a URL names.

    Args:
        text: The URL.
        list_suffixes: File endings of manifests, which must be local files.
        hosts: As for ``refusal``.

    Raises:
        SourceError: It is no URL of an image, or no worker reads it.
    """
    try:
        url = split_web(text)
    except ValueError as error:
        # The text may hold a password: it is not repeated.
        raise SourceError("the source", f"this URL {error}") from None
    if url.path.lower().endswith(tuple(list_suffixes)):
        raise SourceError(
            url.shown,
            "a list must be a local file, so that it is the same when it is read again; download "
            "it, its lines may name http:// and https:// images",
            code="place.manifest",
            params={"place": url.shown},
        )
    name = name_of(url)
    if reason := refusal(url, hosts):
        params = {"place": url.shown}
        raise SourceError(url.shown, reason, code="place.workers", params=params)
    names.require(url.shown, name)
    return SingleSource(url.shown, "web", ImageRef(name, str(url)), url.shown)

"""Images from the web: a URL → bytes, from hosts that are allowed, within size and time.

Nothing here trusts the other side: not its name, its addresses, its redirects, what it says about
the length, nor that it will ever come to an end. The environment's proxies are not used: they
would look names up again, and nobody would check the addresses that they find.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from urllib.parse import urljoin, urlsplit

from maskpool import __version__
from maskpool.errors import BrokenOff, ImageError, Unreachable
from maskpool.settings import Settings
from storage.images.web.connections import Connection, Connector, IdleConnections
from storage.images.web.timed_socket import Deadline, TooManyBytes
from storage.images.web.urls import WebUrl, host_allowed, split_web

log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: Statuses that are worth another try later, besides all of 500 and above.
_TRY_LATER = frozenset({408, 425, 429})

#: Bytes of one read: an answer that states a wrong length costs no more memory than it sends.
_PIECE = 1024 * 1024

#: What HTTP adds to an image: headers, trailers and chunk sizes, at most an eighth of it.
_MAX_HEAD_BYTES = 1024 * 1024
_FRAMED = 8

_HEADERS = {
    "User-Agent": f"maskpool/{__version__}",
    "Accept": "image/*, */*;q=0.1",
    # Without compression, the body cannot become larger than what was sent.
    "Accept-Encoding": "identity",
}


class BadChunk(HTTPException):
    """A chunk's size is not a number."""


@dataclass(frozen=True, slots=True)
class WebLimits:
    """What may be read, and for how long.

    Attributes:
        hosts: Patterns of host names, see ``storage.images.web.urls.host_allowed``.
        max_bytes: Most bytes of one image.
        seconds: For one image: from the lookup of its host to its last byte, redirects included.
        store_host: Of the pool's own store, to which no team is led; empty where it has none.
    """

    hosts: Collection[str]
    max_bytes: int
    seconds: float
    store_host: str = ""


#: Patterns of the hosts that a team was granted; None where all of ``WebLimits.hosts`` are.
GrantedNow = Callable[[], Collection[str] | None]


class WebReader:
    """Reads images from web servers; threads share one. Connections stay open between images."""

    def __init__(self, limits: WebLimits, connector: Connector) -> None:
        self._limits = limits
        self._connector = connector
        self._idle = IdleConnections()
        # Sockets are closed even where the caller forgets to call close.
        self._closing = weakref.finalize(self, self._idle.close)

    def close(self) -> None:
        """Close every connection."""
        self._closing()

    def read(self, text: str, granted: GrantedNow = lambda: None) -> bytes:
        """The bytes behind a URL.

        Args:
            text: The URL.
            granted: Asked where a redirect leads to another host than the URL's own.

        Raises:
            ImageError: They may not or cannot be read; trying again would change nothing.
            Unreachable: The host does not answer; ``BrokenOff`` where it does, and its answer
                breaks off or takes too long.
        """
        deadline = Deadline.in_seconds(self._limits.seconds)
        first = url = _split(text)
        for _ in range(_MAX_REDIRECTS + 1):
            self._require_allowed(url, first)
            if url.host != first.host:
                self._require_granted(url, first, granted())
            try:
                answer = self._ask(url, deadline)
            except TooManyBytes:
                raise ImageError(
                    f"{url.shown} answers with more than the {self._limits.max_bytes:,} bytes "
                    "allowed (MASKPOOL_MAX_IMAGE_BYTES) and all that HTTP adds to them"
                ) from None
            except (OSError, HTTPException) as error:
                raise BrokenOff(url.shown, _reason(error, deadline)) from None
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise ImageError(f"{first.shown} redirects more than {_MAX_REDIRECTS} times")

    def _require_allowed(self, url: WebUrl, first: WebUrl) -> None:
        if not host_allowed(url.host, self._limits.hosts):
            led = "" if url is first else f"{first.shown} redirects to another host: "
            raise ImageError(
                f"{led}workers may not read from {url.host}; add it to MASKPOOL_SOURCE_HOSTS of "
                "the workers, or copy the images"
            )

    def _require_granted(self, url: WebUrl, first: WebUrl, granted: Collection[str] | None) -> None:
        """Refuse to be led where the team that named the first URL could not have named one."""
        if granted is None:
            return
        if url.host == self._limits.store_host or not host_allowed(url.host, granted):
            raise ImageError(
                f"{first.shown} redirects to {url.host}, where this batch's team may not read; ask "
                "an admin to grant that host, or copy the image"
            )

    def _ask(self, url: WebUrl, deadline: Deadline) -> bytes | WebUrl:
        """The body of an answer, or the URL that it redirects to."""
        connection, response = self._answered(url, deadline)
        kept = False
        try:
            if response.status in _REDIRECTS:
                return _target(url, response)
            _require_image(url, response)
            body = self._body(url, response)
            kept = response.isclosed() and not response.will_close
            return body
        finally:
            response.close()
            if kept:
                self._idle.put(connection)
            else:
                connection.close()

    def _answered(self, url: WebUrl, deadline: Deadline) -> tuple[Connection, HTTPResponse]:
        """A connection on which the head of an answer has arrived."""
        kept = self._idle.take(url, deadline)
        if kept is not None:
            try:
                return kept, self._requested(kept, url)
            except (OSError, HTTPException) as error:
                # The other side closed it just now; that says nothing about the image.
                log.debug("a kept connection to %s was over: %r", url.authority, error)
                deadline.left()
        fresh = self._connector.open(url, deadline)
        return fresh, self._requested(fresh, url)

    def _requested(self, connection: Connection, url: WebUrl) -> HTTPResponse:
        """Ask for a URL over a connection; returns when the head of the answer is there."""
        limit = self._limits.max_bytes
        connection.timed.allow(_MAX_HEAD_BYTES + limit + limit // _FRAMED)
        try:
            _send_request(connection, url)
            return _head(connection)
        except BaseException:
            connection.close()
            raise

    def _body(self, url: WebUrl, response: HTTPResponse) -> bytes:
        limit = self._limits.max_bytes
        if (response.length or 0) > limit:
            raise _too_large(url, f"{response.length:,}", limit)
        pieces, size = [], 0
        while piece := _piece(response, min(_PIECE, limit + 1 - size)):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise _too_large(url, f"at least {size:,}", limit)
        if response.length:  # what it promised and did not send
            raise BrokenOff(url.shown, f"it broke off {response.length:,} bytes before its end")
        return b"".join(pieces)


def open_web(settings: Settings) -> WebReader:
    """The reader that the settings describe."""
    limits = WebLimits(
        settings.source_hosts,
        settings.max_image_bytes,
        settings.web_seconds,
        urlsplit(settings.s3_endpoint_url).hostname or "",
    )
    return WebReader(limits, Connector(settings.source_networks))


def _split(text: str) -> WebUrl:
    try:
        return split_web(text)
    except ValueError as error:
        raise ImageError(f"the image's URL {error}") from None


def _send_request(connection: Connection, url: WebUrl) -> None:
    http = connection.http
    http.putrequest("GET", url.target, skip_host=True, skip_accept_encoding=True)
    http.putheader("Host", url.authority)
    for name, value in _HEADERS.items():
        http.putheader(name, value)
    http.endheaders()


def _head(connection: Connection) -> HTTPResponse:
    response = connection.http.getresponse()
    if connection.timed.ended:  # http.client accepts a head that is cut off
        response.close()
        raise IncompleteRead(b"")
    return response


def _piece(response: HTTPResponse, size: int) -> bytes:
    """Read at most so many bytes of the body; empty at its end."""
    try:
        return response.read(size)
    except ValueError:  # http.client accepts a negative chunk size and fails on it
        raise BadChunk from None


def _require_image(url: WebUrl, response: HTTPResponse) -> None:
    """Refuse every answer but a plain 200."""
    status = response.status
    if status in _TRY_LATER or status >= 500:
        raise Unreachable(url.shown, f"it answers {status}")
    if status in (404, 410):
        raise ImageError(f"there is no image {url.shown} (it answers {status})")
    if status in (401, 403):
        raise ImageError(
            f"access denied to {url.shown} (it answers {status}); use a signed URL, or copy the "
            "image"
        )
    if status != 200:
        raise ImageError(f"{url.shown} answers {status}, which is no image")
    packed = response.getheader("Content-Encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise ImageError(
            f"{url.shown} is sent packed ({packed[:20]!r}), though it was asked for as it is; "
            "copy the image"
        )


def _target(url: WebUrl, response: HTTPResponse) -> WebUrl:
    """Where a redirect leads; whether that may be read is judged as for any other URL."""
    location = response.getheader("Location")
    if not location:
        raise ImageError(f"{url.shown} redirects (it answers {response.status}) to nowhere")
    try:
        # Headers are read as Latin-1; servers that write more than ASCII write UTF-8.
        location = location.encode("latin-1").decode(errors="replace")
        target = split_web(_joined(url, location))
    except ValueError as error:
        raise ImageError(f"{url.shown} redirects to an address that {error}") from None
    if url.scheme == "https" and target.scheme == "http":
        raise ImageError(f"{url.shown} redirects from https to http, where anybody could change it")
    return target


def _joined(url: WebUrl, location: str) -> str:
    try:
        return urljoin(str(url), location)
    except ValueError:  # its own sentence repeats what may hold a password
        raise ValueError("is none") from None


def _too_large(url: WebUrl, size: str, limit: int) -> ImageError:
    return ImageError(
        f"{url.shown} has {size} bytes, more than the {limit:,} allowed (MASKPOOL_MAX_IMAGE_BYTES)"
    )


def _reason(error: OSError | HTTPException, deadline: Deadline) -> str:
    """A short reason; nothing that the other side sent is quoted."""
    if isinstance(error, TimeoutError):
        return f"it took longer than {deadline.seconds:g} s (MASKPOOL_WEB_SECONDS)"
    if isinstance(error, HTTPException):
        return f"it broke off, or does not speak HTTP ({type(error).__name__})"
    return error.strerror or type(error).__name__

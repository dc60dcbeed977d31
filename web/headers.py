"""Headers of every answer: a browser that is shown one does nothing else with it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Nothing is loaded, framed, sent or run; a page of ours that needs more says so itself.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    # An answer is for one person: neither a proxy nor the next user of a browser gets it.
    "cache-control": "private, no-cache",
}

#: Of a page of ours: it loads its own files, asks its own server, and makes no markup of a text.
PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "vary": "Cookie, Accept-Language, Accept-Encoding",
}

#: Of a page of ours without scripts: it loads its own style and icon.
PLAIN_HEADERS = PAGE_HEADERS | {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
}

#: A year: what browsers take for good.
_TLS_ONLY = "max-age=31536000"


def usual(*, secure: bool) -> list[tuple[bytes, bytes]]:
    """What every answer has; ``secure``: browsers are to speak TLS to this host, and only that."""
    held = _HEADERS | ({"strict-transport-security": _TLS_ONLY} if secure else {})
    return [(name.encode(), value.encode()) for name, value in held.items()]


class Headers:
    """Adds the headers that an answer does not set itself.

    Args:
        app: What comes behind it.
        secure: Whether browsers are to speak TLS to this host and nothing else.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._usual = usual(secure=secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                named = {name.lower() for name, _ in own}
                message["headers"] = own + [one for one in self._usual if one[0] not in named]
            await send(message)

        await self._app(scope, receive, send_with_headers)

"""How large a request's body may be: it is held in memory before anybody is asked who sends it."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem, answer

#: A list of addresses in full is half of it.
_MAX_BYTES = 4 * 1024 * 1024

#: These routes read their body in pieces, once they know whose it is, within limits of their own.
_READ_IN_PIECES = re.compile(r"/api/v1/uploads/[^/]+/(?:files/|tar$)")

_SENTENCE = (
    f"the body has more than {_MAX_BYTES:,} bytes; ask for less at once, and bring images as "
    "files of an upload"
)


class Sizes:
    """Refuses a larger body, at once where its length is said.

    Args:
        app: What comes behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _READ_IN_PIECES.match(_path(scope)):
            await self._app(scope, receive, send)
        elif _said_length(scope) > _MAX_BYTES:
            await answer(Problem(413, "too_large", _SENTENCE))(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _said_length(scope: Scope) -> int:
    said = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(said[0]) if said and said[0].isdigit() else 0


def _counted(receive: Receive) -> Receive:
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > _MAX_BYTES:
            # FastAPI lets no other error of a body through.
            raise HTTPException(413, _SENTENCE)
        return message

    return counting

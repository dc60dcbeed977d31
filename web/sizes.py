"""How large a request's body may be: it is held in memory before anybody is asked who sends it."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem, answer

_MAX_BYTES = 4 * 1024 * 1024

#: A batch may list 100,000 addresses, for each of which there is room for 160 bytes.
_MAX_OF_A_LIST = 16 * 1024 * 1024

_LISTS = "/api/v1/batches"

#: These routes read their body in pieces, once they know whose it is, within limits of their own.
_READ_IN_PIECES = re.compile(r"/api/v1/uploads/[^/]+/(?:files/|tar$)")


def _sentence(limit: int) -> str:
    return (
        f"the body has more than {limit:,} bytes; ask for less at once, and bring images as files "
        "of an upload"
    )


class _TooLarge(HTTPException):
    """A body that turned out to be larger; ``params`` go into its problem."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, _sentence(limit))
        self.params = {"limit": limit}


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
            return
        limit = _MAX_OF_A_LIST if _path(scope) == _LISTS else _MAX_BYTES
        if _said_length(scope) > limit:
            problem = Problem(413, "too_large", _sentence(limit), limit=limit)
            await answer(problem)(scope, receive, send)
        else:
            await self._app(scope, _counted(receive, limit), send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _said_length(scope: Scope) -> int:
    said = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(said[0]) if said and said[0].isdigit() else 0


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            # FastAPI lets no other error of a body through.
            raise _TooLarge(limit)
        return message

    return counting

"""A web server with a bug put in on purpose: it never hears of an Idempotency-Key."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fastapi import FastAPI
from faults.scripts.web_server import serve
from starlette.types import ASGIApp, Receive, Scope, Send

import web.serve
from maskpool.settings import Settings
from web.app import create_app


class _Deaf:
    """Leaves the header out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            heard = [one for one in scope["headers"] if one[0] != b"idempotency-key"]
            scope = {**scope, "headers": heard}
        await self._app(scope, receive, send)


def _create_deaf(settings: Settings) -> FastAPI:
    app = create_app(settings)
    app.add_middleware(_Deaf)
    return app


if __name__ == "__main__":
    web.serve.create_app = _create_deaf
    serve()

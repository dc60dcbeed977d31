"""The least that the same framework can do: plain routes with nothing behind them.

python -P bench/bare_web.py PORT BYTES
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request


def bare(size: int) -> FastAPI:
    """An app that answers with about ``size`` bytes of JSON, and throws away what is sent to it."""
    app, text = FastAPI(), "x" * size

    @app.get("/")
    def answer() -> dict[str, str]:
        return {"text": text}

    @app.put("/files/{name}")  # noqa: FAST003 - whatever it is called
    @app.post("/tar")
    async def drop(request: Request) -> dict[str, int]:
        return {"size": sum([len(piece) async for piece in request.stream()])}

    return app


if __name__ == "__main__":
    port, size = map(int, sys.argv[1:])
    uvicorn.run(bare(size), host="127.0.0.1", port=port, access_log=False, log_level="warning")

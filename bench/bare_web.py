"""The least that the same framework can do: one plain route that answers with fixed JSON.

python -P bench/bare_web.py PORT BYTES
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI


def bare(size: int) -> FastAPI:
    """An app whose one route answers with about ``size`` bytes of JSON."""
    app, text = FastAPI(), "x" * size

    @app.get("/")
    def answer() -> dict[str, str]:
        return {"text": text}

    return app


if __name__ == "__main__":
    port, size = map(int, sys.argv[1:])
    uvicorn.run(bare(size), host="127.0.0.1", port=port, access_log=False, log_level="warning")

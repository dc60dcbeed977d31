"""Whether the process lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from maskpool.errors import MaskpoolError
from web.access import Pooled, public

router = APIRouter(tags=["health"], dependencies=[public()])


@router.get("/healthz", status_code=204)
async def healthz() -> Response:
    """Answer while the process lives."""
    return Response(status_code=204)


@router.get("/readyz")
def readyz(pool: Pooled) -> JSONResponse:
    """Say whether database and Redis answer; 503 with a sentence for each that does not."""
    # Only now: redis-py takes 7 MB and a third of a second.
    from producer.dispatch.broker import Broker  # noqa: PLC0415

    missing = {}
    broker = Broker(pool.settings.redis_url.get_secret_value())
    for name, ask in {"database": lambda: _read(pool), "redis": broker.ping}.items():
        try:
            ask()
        except MaskpoolError as error:
            missing[name] = str(error)
    broker.close()
    return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)


def _read(pool: Pooled) -> None:
    with pool.database.read() as session:
        # A session connects at its first statement only.
        session.connection()

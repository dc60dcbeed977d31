"""The ASGI application, put together from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from db.session import Database
from maskpool.settings import Settings, require
from producer.pool import Pool
from web import problems
from web.access import Authenticate
from web.routes import ROUTERS


def create_app(settings: Settings, authenticate: Authenticate = lambda _: None) -> FastAPI:
    """The application over one pool; any number of processes may run it.

    Args:
        settings: They name the pool.
        authenticate: Finds out who asks.

    Raises:
        ConfigError: A setting is missing or refused.
    """
    require(settings, "redis_url", "database_url", "store_url", who="the web server")
    app = FastAPI(
        title="maskpool",
        version=version("maskpool"),
        lifespan=_lifespan,
        docs_url="/api/docs",
        openapi_url="/api/v1/openapi.json",
        redoc_url=None,
    )
    app.state.pool = Pool(settings, Database(settings.database_url.get_secret_value()))
    app.state.authenticate = authenticate
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.pool.database.close()

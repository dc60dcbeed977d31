"""The ASGI application, put together from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from db.session import Database
from maskpool.settings import Settings, require
from producer.accounts.authenticate import Authenticator
from producer.pool import Pool
from web import problems
from web.access import Authenticate
from web.authentication import Authentication
from web.limits import Limits
from web.routes import ROUTERS


def create_app(settings: Settings, authenticate: Authenticate | None = None) -> FastAPI:
    """The application over one pool; any number of processes may run it.

    Args:
        settings: They name the pool.
        authenticate: Finds out who asks; None: cookies and tokens tell.

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
    app.state.authenticator = Authenticator(app.state.pool.database)
    app.state.authenticate = authenticate or Authentication(settings, app.state.authenticator)
    app.state.limits = Limits(settings.redis_url.get_secret_value())
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.limits.close()
    app.state.pool.database.close()

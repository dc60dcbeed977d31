"""The ASGI application, put together from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from threading import Event

from anyio import to_thread
from fastapi import FastAPI

from db.session import Database
from maskpool.settings import Settings, require
from producer.accounts.authenticate import Authenticator
from producer.arrivals import Arrivals
from producer.pictures import Pictures
from producer.pool import Pool
from web import problems
from web.access import Authenticate
from web.authentication import Authentication
from web.crier import Crier
from web.headers import Headers
from web.hosts import Hosts
from web.limits import Limits
from web.listeners import Listeners
from web.place import Place
from web.routes import ROUTERS
from web.sizes import Sizes
from web.speeds import Speeds
from web.studio import missing
from web.waiting import Waiting
from web.watcher import Changes, Watcher

#: Requests that are worked on at once in one process, and connections to the database.
_THREADS = 20


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
        # FastAPI's page loads its scripts from other servers.
        docs_url=None,
        openapi_url="/api/v1/openapi.json",
        redoc_url=None,
    )
    database = Database(settings.database_url.get_secret_value(), pool_size=_THREADS)
    app.state.pool = Pool(settings, database)
    app.state.place = place = Place.of(settings)
    app.state.closing = Event()
    app.state.speeds = Speeds()
    app.state.arrivals = Arrivals(app.state.pool)
    app.state.watcher = Watcher(app.state.pool)
    app.state.crier = Crier(app.state.watcher, app.state.closing)
    # The last one added is the first one that a request meets.
    app.add_middleware(Changes, watcher=app.state.watcher)
    app.add_middleware(Sizes)
    app.add_middleware(Hosts, place=place, proxies=settings.proxies)
    app.add_middleware(Headers, secure=place.secure)
    app.state.authenticator = Authenticator(app.state.pool.database)
    app.state.authenticate = authenticate or Authentication(place, app.state.authenticator)
    app.state.listeners = Listeners(app.state.authenticate)
    app.state.limits = Limits(settings.redis_url.get_secret_value())
    app.state.pictures = Pictures(settings)
    app.state.waiting = Waiting(database, settings.redis_url.get_secret_value())
    problems.install(app)
    missing.install(app)
    for router in ROUTERS:
        app.include_router(router, responses=problems.DESCRIBED)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Each thread may hold a connection; more threads would wait for one, and then fail.
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
    await app.state.waiting.close()
    app.state.pictures.close()
    app.state.arrivals.close()
    app.state.limits.close()
    app.state.pool.close()

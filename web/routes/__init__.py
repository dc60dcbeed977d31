"""The routes, a module for each thing they are about; ``ROUTERS`` is all of them."""

from __future__ import annotations

from fastapi import APIRouter

from web.routes import (
    audit,
    batches,
    create,
    events,
    glossary,
    glossary_files,
    glossary_versions,
    health,
    histogram,
    images,
    keep,
    models,
    pictures,
    places,
    pool,
    predict,
    readings,
    session,
    sessions,
    specs,
    tasks,
    teams,
    tokens,
    trash,
    upload_pictures,
    uploads,
    users,
)
from web.studio import api_page, assets, pages

#: In the order in which they are tried and the documentation shows them. Files of pages, which it
#: does not show, come first: a page asks for fifty at once, and one was compared with all others.
ROUTERS: tuple[APIRouter, ...] = (
    assets.router,
    pages.router,
    health.router,
    session.router,
    sessions.router,
    tokens.router,
    users.router,
    teams.router,
    audit.router,
    uploads.router,
    upload_pictures.router,
    pictures.router,
    predict.router,
    keep.router,
    batches.router,
    create.router,
    places.router,
    specs.router,
    glossary.router,
    glossary_files.router,
    glossary_versions.router,
    trash.router,
    readings.router,
    histogram.router,
    images.router,
    tasks.router,
    pool.router,
    models.router,
    events.router,
    api_page.router,
)

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

#: In the order in which the documentation shows them.
ROUTERS: tuple[APIRouter, ...] = (
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
    trash.router,
    readings.router,
    histogram.router,
    images.router,
    tasks.router,
    pool.router,
    models.router,
    events.router,
    api_page.router,
    pages.router,
    assets.router,
)

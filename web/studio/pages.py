"""The addresses of the pages. They hold nothing of anybody's, so they are open to everybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from web.access import public
from web.session import Placed
from web.studio.markup import page

router = APIRouter(include_in_schema=False, dependencies=[public()])


@router.get("/")
async def first(place: Placed) -> RedirectResponse:
    """Lead to the first page."""
    return RedirectResponse(f"{place.prefix}/try", 303)


@router.get("/login")
def login(request: Request) -> HTMLResponse:
    """Log in."""
    return page(request, "login")


@router.get("/try")
def try_(request: Request) -> HTMLResponse:
    """Try prompts on one picture."""
    return page(request, "try")


@router.get("/batches")
def batches(request: Request) -> HTMLResponse:
    """All batches."""
    return page(request, "batches")


@router.get("/batches/new")
def new_batch(request: Request) -> HTMLResponse:
    """Make a batch."""
    return page(request, "new-batch")


@router.get("/batches/{batch_id}")
def batch(request: Request, batch_id: str) -> HTMLResponse:
    """One batch."""
    del batch_id  # the page reads its own address
    return page(request, "batch")


@router.get("/glossary")
def glossary(request: Request) -> HTMLResponse:
    """The words by which prompts in Chinese are sent."""
    return page(request, "glossary-words")


@router.get("/pool")
def pool(request: Request) -> HTMLResponse:
    """Workers and what waits."""
    return page(request, "pool")


@router.get("/account")
def account(request: Request) -> HTMLResponse:
    """One's password, sessions and tokens."""
    return page(request, "account")

"""The page about the API, for people: made of the app's own description, without a script."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from web.access import public, right_of
from web.studio.markup import plain_page
from web.studio.schemas import Parts, example, kind

router = APIRouter(include_in_schema=False, dependencies=[public()])

#: Bodies that are shown: others are files.
_JSON = "application/json"

_WHAT = "description"

#: Where somebody writes a name of their own.
_FILE = "FILE"


class Operation(NamedTuple):
    """One route with one method, as people read it."""

    anchor: str
    tag: str
    method: str
    path: str
    #: Empty where it is open to everybody.
    right: str
    what: str
    #: Name, place, kind, whether it is required, and what it is of each.
    parameters: list[tuple[str, str, str, bool, str]]
    #: An example as JSON; empty where there is none.
    body: str
    #: Status, media type and example of each answer that is no refusal.
    answers: list[tuple[str, str, str]]
    #: How a shell asks.
    curl: str


def operations(
    described: dict[str, Any], routers: Iterable[APIRouter], url: str
) -> list[Operation]:
    """Every route of a description, in its order.

    Args:
        described: As of OpenAPI.
        routers: That hold the routes, which name their rights.
        url: What the address of a call begins with.
    """
    rights = _rights_of(routers)
    parts = described.get("components", {}).get("schemas", {})
    found = []
    for path, methods in described["paths"].items():
        # With a variable of the shell for each part of the path that differs.
        address = url + re.sub(r"\{(\w+)\}", lambda one: "${" + one[1].upper() + "}", path)
        for method, told in methods.items():
            right = rights[method.upper(), path]
            found.append(_operation(parts, f"{method.upper()} {path}", told, right, address))
    return found


def _rights_of(routers: Iterable[APIRouter]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for route in (one for router in routers for one in router.routes):
        if isinstance(route, APIRoute) and route.include_in_schema:
            needed = right_of(route)
            right = "" if needed is None or needed.right is None else str(needed.right)
            found |= {(method, route.path_format): right for method in route.methods or ()}
    return found


def _operation(
    parts: Parts, asked: str, told: dict[str, Any], right: str, address: str
) -> Operation:
    method, path = asked.split(" ")
    bodies = told.get("requestBody", {}).get("content", {})
    body = _shown(bodies, parts)
    answers = [
        (status, ", ".join(one.get("content", {})), _shown(one.get("content", {}), parts))
        for status, one in told["responses"].items()
        if status[0] in "23"
    ]
    parameters = [
        (*(one["name"], one["in"], kind(one["schema"], parts)), one["required"], one.get(_WHAT, ""))
        for one in told.get("parameters", ())
    ]
    curl = [f'curl "{address}"' if method == "GET" else f'curl -X {method} "{address}"']
    if right:
        curl.append('-H "Authorization: Bearer $MASKPOOL_TOKEN"')
    if body:
        # Back from what is shown, so that both are one example.
        curl.append(f"--json {shlex.quote(json.dumps(json.loads(body), ensure_ascii=False))}")
    elif bodies:
        curl += [f'-H "Content-Type: {next(iter(bodies))}"', f"-T {_FILE}"]
    if answers and answers[0][1] not in (_JSON, ""):
        curl.append("-N" if "event-stream" in answers[0][1] else f"-o {_FILE}")
    anchor = re.sub(r"\W+", "-", asked).strip("-").lower()
    shell = " \\\n  ".join(curl)
    return Operation(
        *(anchor, told["tags"][0], method, path, right, told[_WHAT]),
        *(parameters, body, answers, shell),
    )


def _shown(content: dict[str, Any], parts: Parts) -> str:
    """An example of a body as JSON; empty for a file, and where the description says nothing."""
    told = content.get(_JSON, {})
    if not told.get("schema") and "example" not in told:
        return ""
    made = told.get("example") or example(told["schema"], parts)
    text = json.dumps(made, indent=2, ensure_ascii=False)
    # A list of figures takes one line, and not one for each.
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda one: f"[{' '.join(one[1].split())}]", text)


@router.get("/api/docs")
def about_the_api(request: Request) -> HTMLResponse:
    """Every route of the API, for people."""
    app = request.app
    if not hasattr(app.state, "operations"):
        from web.routes import ROUTERS  # noqa: PLC0415 - it names this router as well

        app.state.operations = operations(app.openapi(), ROUTERS, app.state.place.url)
    # Halves of a text: what stands between backticks is every other one.
    marked = partial(re.split, r"`+([^`]+)`+")
    return plain_page(request, "api", operations=app.state.operations, marked=marked)

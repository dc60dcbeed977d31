"""Versions of things in headers: a client is told that nothing changed, or that something did."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from fastapi import Response

from web.problems import Problem


def etag_of(content: object) -> str:
    """What stands for exactly this JSON content."""
    text = json.dumps(content, sort_keys=True, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def names(header: str | None, etag: str) -> bool:
    """Whether a header such as ``If-None-Match`` names this version, or any."""
    if header is None:
        return False
    said = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in said or etag in said


def fits(header: str | None) -> Callable[[str], bool]:
    """Whether a change is meant for a version: without ``If-Match`` for whichever there is."""
    return lambda etag: header is None or names(header, etag)


def unless_known(header: str | None, etag: str, response: Response) -> Response | None:
    """The answer 304 where the client has this version; else None, and the answer names it."""
    if names(header, etag):
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return None


def stale(sentence: str) -> Problem:
    """The refusal of a change that was meant for another version."""
    return Problem(412, "stale", sentence)

"""Every refusal as a problem of RFC 9457: a code and parameters, which a page can translate."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from maskpool.errors import (
    Conflict,
    MaskpoolError,
    NotFound,
    Permanent,
    TooLarge,
    TooMany,
)
from maskpool.strict import code_of, reason_of
from producer.accounts.refusals import Refused
from producer.problems import bounded, told

log = logging.getLogger(__name__)

#: Of a body: none came, or it was not said to be JSON.
_NO_OBJECT = ("missing", "model_attributes_type", "model_type", "dict_type")

_MEDIA_TYPE = "application/problem+json"

#: Seconds after which a client may try again what a service that is away kept it from.
_RETRY_AFTER = 2

#: The status of each class of errors; the first that fits counts.
_STATUS: tuple[tuple[type[MaskpoolError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 403),
    (TooLarge, 413),
    (TooMany, 429),
    (Permanent, 422),
)


#: Of every refusal, for the API's description.
_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "params"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "params": {"type": "object"},
    },
    "example": {
        "type": "urn:maskpool:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no batch 7 that you may see",
        "code": "not_found",
        "params": {},
    },
}
_REFUSAL = {"description": "A refusal (RFC 9457).", "content": {_MEDIA_TYPE: {"schema": _SCHEMA}}}

#: What each route may answer beside its own.
DESCRIBED: dict[int | str, dict[str, Any]] = {"4XX": _REFUSAL, "5XX": _REFUSAL}


class Problem(Exception):
    """A refusal.

    Args:
        status: HTTP status.
        code: What went wrong, for programs; never changes: ``auth.missing``.
        detail: What went wrong and what to do about it, for people.
        headers: Of the answer.
        params: What a translation of ``detail`` needs.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **params: Any,  # noqa: ANN401 - JSON
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.params = params


class _Answer(JSONResponse):
    """A problem may quote half a character that somebody sent: it is escaped, as it came."""

    media_type = _MEDIA_TYPE

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - JSON
        """As Starlette does, but for what is no UTF-8."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="backslashreplace")


def problem_of(error: MaskpoolError) -> Problem:
    """An error of ours as a problem."""
    said = told(error)
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Problem(status, said.code, said.detail, **said.params)
    wait = {"Retry-After": str(_RETRY_AFTER)}
    return Problem(503, said.code, said.detail, headers=wait, **said.params)


def answer(problem: Problem) -> JSONResponse:
    """The answer that carries a problem."""
    content = {
        "type": f"urn:maskpool:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "params": problem.params,
    }
    return _Answer(content, problem.status, headers=problem.headers)


def install(app: FastAPI) -> None:
    """Let an app answer every error as a problem."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(MaskpoolError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)


def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - by whom it is called
    return answer(error)


def _on_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MaskpoolError)  # noqa: S101 - likewise
    return answer(problem_of(error))


def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - likewise
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    reason = reason_of(first["type"], first["msg"])
    if first["type"] == "json_invalid":
        field, reason = "body", f"is no JSON from character {field} on"
    elif first["loc"] == ("body",) and first["type"] in _NO_OBJECT:
        reason = "is no JSON object; send one, with Content-Type: application/json"
    code, params = code_of(first)
    params = {"field": field, "reason": reason, **bounded(params)}
    return answer(Problem(422, code or "request.invalid", f"{field}: {reason}", **params))


def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    code = {404: "not_found", 405: "method", 413: "too_large"}.get(error.status_code, "http")
    headers, params = dict(error.headers or {}), getattr(error, "params", {})
    return answer(Problem(error.status_code, code, str(error.detail), headers=headers, **params))


def _on_bug(_: Request, error: Exception) -> JSONResponse:
    log.error("a request could not be answered", exc_info=error)
    return answer(Problem(500, "bug", "this is a bug in maskpool; its traceback is in the log"))

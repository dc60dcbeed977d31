"""What a browser is shown where there is no page; everybody else is told by a problem."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from web.problems import Problem, answer
from web.studio.markup import page


def install(app: FastAPI) -> None:
    """Let an app answer for addresses that it does not have."""
    app.add_exception_handler(404, _on_missing)


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer: browsers alone ask for HTML."""
    return "text/html" in request.headers.get("accept", "")


def _on_missing(request: Request, error: Exception) -> Response:
    api = f"{request.scope['root_path']}/api/"
    if wants_page(request) and not request.url.path.startswith(api):
        return page(request, "missing", status=404)
    return answer(Problem(404, "not_found", str(getattr(error, "detail", "Not Found"))))

"""Routes that pass over nothing of a request: no parameter they do not know, nothing said twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, get_args, get_origin

from fastapi import APIRouter, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import HTTPException
from fastapi.routing import APIRoute

from web.problems import Problem

#: Of a name that somebody made up, so much is quoted.
_QUOTED = 100


class Router(APIRouter):
    """A router of the API: whoever asks one of its routes is told what would not count.

    Args:
        prefix: Of all its paths.
        tags: Under which the description shows them.
    """

    def __init__(self, *, prefix: str = "", tags: Sequence[str]) -> None:
        super().__init__(prefix=prefix, tags=list(tags), route_class=StrictRoute)


class StrictRoute(APIRoute):
    """A route that refuses an unknown parameter, and a parameter or key that comes twice."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI does, with a look at the query before and at the keys of the body."""
        handle = super().get_route_handler()
        fields = get_flat_params(self.dependant)
        # By name, whether it may come several times.
        known = {
            one.alias: _is_list(one.field_info.annotation)
            for one in fields
            if isinstance(one.field_info, params.Query)
        }

        async def strict(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request, known)
            asked = _OnceRequest(request.scope, request.receive)
            try:
                return await handle(asked)
            except HTTPException:
                if asked.twice is None:
                    raise
                raise _said_twice(asked.twice, "an object of the body") from None

        return strict


class _OnceRequest(Request):
    """A request whose JSON is refused where an object has a key twice: the last one would win."""

    twice: str | None = None

    async def json(self) -> Any:  # noqa: ANN401 - JSON
        """As Starlette does."""
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), object_pairs_hook=self._object)
        if self.twice is not None:
            # FastAPI lets no other error of a body through.
            raise HTTPException(422)
        return self._json

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs) and self.twice is None:
            [(self.twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        return made


def _is_list(kind: Any) -> bool:  # noqa: ANN401 - an annotation
    return any(get_origin(part) is list for part in (kind, *get_args(kind)))


def _check_query(request: Request, known: dict[str, bool]) -> None:
    """Refuse what would be passed over.

    Raises:
        Problem: Names the parameter, and those that there are.
    """
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if name not in known:
            there = f"there is {', '.join(known)}" if known else "this address takes none"
            raise Problem(
                422,
                "request.unknown",
                f"{name[:_QUOTED]!r} is no parameter of this address; {there}",
                name=name[:_QUOTED],
                known=", ".join(known) or "–",
            )
        if count > 1 and not known[name]:
            raise _said_twice(name, "the address")


def _said_twice(name: str, where: str) -> Problem:
    shown = name[:_QUOTED]
    sentence = f"{shown!r} stands more than once in {where}; say it once"
    return Problem(422, "request.twice", sentence, name=shown)

"""Names of files in a request's path: whole, as they were sent, so that a route can refuse them."""

from __future__ import annotations

from starlette.convertors import PathConvertor, register_url_convertor


class _AnyText(PathConvertor):
    """Starlette's own stops at a line feed, and drops one at the end."""

    regex = r"[\s\S]*"


register_url_convertor("any_text", _AnyText())

#: Of a route's path: what is left of it, as its parameter ``name``.
NAME = "{name:any_text}"

"""A page's HTML: the same for everybody but for language and theme; scripts bring what it shows."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse

from web.headers import PAGE_HEADERS, PLAIN_HEADERS
from web.place import Place
from web.studio import assets, words

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"

#: How scripts begin the key of a word, before its first dot; or all of it.
_ROOM = re.compile(r"[\"`]([a-z][a-z_-]*)[\".]")

#: Kept by the page where somebody chose one; otherwise the system decides.
THEME_COOKIE, THEMES = "theme", ("light", "dark")


@cache
def _environment() -> Environment:
    # Only now: most processes of a web server answer scripts alone.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # As an escape, a Chinese character takes twice the bytes.
    made.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": True}
    return made


def _words_of(name: str, language: str) -> dict[str, words.Word]:
    """The words that a page's scripts may ever say: a page need not load those of all others."""
    files = assets.load()
    scripts = b"\n".join(files.files[module] for module in files.ever(f"{name}.js")).decode()
    rooms = set(_ROOM.findall(scripts))
    known = words.words_of(language)
    return {key: word for key, word in known.items() if key.partition(".")[0] in rooms}


def page(request: Request, name: str, *, status: int = 200) -> HTMLResponse:
    """One page.

    Args:
        request: It says language and theme.
        name: Of the template and of the page's script.
        status: HTTP status.
    """
    return _answer(request, _written(name, _look(request)), status, PAGE_HEADERS)


def plain_page(request: Request, name: str, **values: object) -> HTMLResponse:
    """One page without a script: nothing may run in it.

    Args:
        request: It says language and theme.
        name: Of the template.
        values: What the template shows beside its words.
    """
    return _answer(request, _rendered(name, _look(request), values), 200, PLAIN_HEADERS)


class _Look(NamedTuple):
    """By what the text of one page differs from request to request."""

    language: str
    theme: str
    prefix: str


def _look(request: Request) -> _Look:
    place: Place = request.app.state.place
    theme = request.cookies.get(THEME_COOKIE, "")
    return _Look(words.language_of(request), theme if theme in THEMES else "", place.prefix)


@lru_cache(maxsize=128)
def _written(name: str, look: _Look) -> str:
    """A page with its scripts. All it is made of is what this process began with."""
    modules = assets.load().modules(f"{name}.js")
    return _rendered(name, look, {"words": _words_of(name, look.language), "modules": modules})


def _rendered(name: str, look: _Look, values: Mapping[str, object]) -> str:
    files = assets.load()
    return (
        _environment()
        .get_template(f"{name}.html")
        .render(
            page=name,
            root=look.prefix,
            language=look.language,
            languages=words.LANGUAGES,
            t=lambda key: words.say(look.language, key),
            theme=look.theme,
            asset=lambda file: look.prefix + files.path(file),
            **values,
        )
    )


def _answer(request: Request, html: str, status: int, headers: Mapping[str, str]) -> HTMLResponse:
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(html, status, headers=dict(headers))
    packed = {**headers, "content-encoding": "gzip"}
    return HTMLResponse(_packed(html), status, headers=packed)


@lru_cache(maxsize=64)
def _packed(html: str) -> bytes:
    """As gzip. A page holds nothing of anybody's, so its length tells nothing of anybody."""
    return gzip.compress(html.encode(), mtime=0)

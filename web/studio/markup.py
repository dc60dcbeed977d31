"""A page's HTML: the same for everybody but for language and theme; scripts bring what it shows."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

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
    values: dict[str, object] = {
        "words": _words_of(name, words.language_of(request)),
        "modules": assets.load().modules(f"{name}.js"),
    }
    return _answer(request, name, status, PAGE_HEADERS, values)


def plain_page(request: Request, name: str, **values: object) -> HTMLResponse:
    """One page without a script: nothing may run in it.

    Args:
        request: It says language and theme.
        name: Of the template.
        values: What the template shows beside its words.
    """
    return _answer(request, name, 200, PLAIN_HEADERS, values)


def _answer(
    request: Request, name: str, status: int, headers: Mapping[str, str], values: dict[str, object]
) -> HTMLResponse:
    place: Place = request.app.state.place
    language = words.language_of(request)
    theme = request.cookies.get(THEME_COOKIE, "")
    files = assets.load()
    html = (
        _environment()
        .get_template(f"{name}.html")
        .render(
            page=name,
            root=place.prefix,
            language=language,
            languages=words.LANGUAGES,
            t=lambda key: words.say(language, key),
            theme=theme if theme in THEMES else "",
            asset=lambda file: place.prefix + files.path(file),
            **values,
        )
    )
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(html, status, headers=dict(headers))
    packed = {**headers, "content-encoding": "gzip"}
    return HTMLResponse(_packed(html), status, headers=packed)


@lru_cache(maxsize=64)
def _packed(html: str) -> bytes:
    """As gzip. A page holds nothing of anybody's, so its length tells nothing of anybody."""
    return gzip.compress(html.encode(), mtime=0)

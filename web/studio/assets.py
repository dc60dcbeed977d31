"""The files of the pages, under an address that names their content: a browser keeps them for good.

They are read once and served from memory, so that no request can name another file.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from maskpool.errors import NotFound
from web.access import public

router = APIRouter(include_in_schema=False, dependencies=[public()])

FOLDER = Path(__file__).parent / "static"

#: By the end of a name. Others are not served.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: How a module names another one. They lie side by side, so their addresses share the hash.
_IMPORT = re.compile(r"""^(?:import|export)\b[^"']*?["']\./([\w.-]+\.js)["']""", re.MULTILINE)

#: How a module loads another one when somebody wants it; types in comments name modules otherwise.
_WANTED = re.compile(r"""=> import\(["']\./([\w.-]+\.js)["']\)(?!\.[A-Z])""")

_FOR_GOOD = "public, max-age=31536000, immutable"

#: Of a page that another version served: what it gets now must not be kept under that name.
_THIS_TIME = "no-store"


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of the pages.

    Attributes:
        files: Bytes by name, as ``samples/scene.jpg``.
        packed: The same as gzip, of those that become smaller.
        mark: Stands for their content in addresses.
    """

    files: Mapping[str, bytes]
    packed: Mapping[str, bytes]
    mark: str

    def path(self, name: str) -> str:
        """Where a file is, behind the prefix of the server.

        Raises:
            NotFound: There is none of this name.
        """
        if name not in self.files:
            raise NotFound(f"there is no file {name!r} among those of the pages")
        return f"/static/{self.mark}/{name}"

    def modules(self, name: str) -> list[str]:
        """A module and all that it imports: a page names them, or each would wait for another."""
        return self._reached(name, _IMPORT)

    def ever(self, name: str) -> list[str]:
        """The same, and what is loaded only when somebody wants it: a page holds its words, too."""
        return self._reached(name, _IMPORT, _WANTED)

    def _reached(self, name: str, *ways: re.Pattern[str]) -> list[str]:
        found: dict[str, None] = {}
        waiting = [name]
        while waiting:
            module = waiting.pop()
            if module not in found:
                found[module] = None
                text = self.files[module].decode()
                waiting += [one for way in ways for one in way.findall(text)]
        return list(found)


@cache
def load() -> Assets:
    """Read the files, once in a process."""
    files = dict(_read())
    mark = hashlib.sha256()
    for name, body in files.items():
        mark.update(f"{name}:{len(body)}:".encode() + body)
    packed = {
        name: gzip.compress(body, mtime=0)
        for name, body in files.items()
        if not name.endswith(".jpg")
    }
    return Assets(files, packed, mark.hexdigest()[:16])


def _read() -> Iterator[tuple[str, bytes]]:
    for file in sorted(FOLDER.rglob("*")):
        if file.suffix in _TYPES:
            yield file.relative_to(FOLDER).as_posix(), file.read_bytes()


@router.get("/static/{mark}/{name:path}")
async def asset(mark: str, name: str, request: Request) -> Response:
    """One file of the pages."""
    assets = load()
    body = assets.files.get(name)
    if body is None:
        raise NotFound(f"there is no file {name[:200]!r} here")
    headers = {"cache-control": _FOR_GOOD if mark == assets.mark else _THIS_TIME}
    packed = assets.packed.get(name)
    if packed is not None:
        headers["vary"] = "accept-encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["content-encoding"] = packed, "gzip"
    return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)

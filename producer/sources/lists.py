"""Manifests: files that list images, one a line (JSONL, plain text) or one a row (CSV).

What a line may name depends on where the manifest lies: see ``producer.sources.grounds``. A name
that is not given is the path below the manifest's folder, the key below the bucket, or host and
path of a URL.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from maskpool.asks import ImageAsks
from maskpool.domain import ImageRef
from maskpool.errors import SourceError, SpecError
from producer.sources import names
from producer.sources.grounds import Ground, Misplaced, Places
from producer.sources.passed import PassedOver

#: Where a line says which image it means; the first that is there counts.
URI_FIELDS = ("uri", "image", "path", "file", "url", "source-ref")

#: Where a line says what its image alone is asked.
PROMPTS = "prompts"

#: A longer line is no line of a manifest, and would have to be held in memory.
MAX_LINE_BYTES = 1024 * 1024

#: Relative paths that need no further check: such a path is its own name, and needs no escape.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PLAIN_LENGTH = 500


def refuse(error: SourceError) -> None:
    """What becomes of a line that is refused, unless somebody wants to know of all: no batch."""
    raise error


@dataclass(frozen=True, slots=True)
class ListSource:
    """What all kinds of manifest share.

    Attributes:
        text: The manifest, as its user wrote it.
        ground: Where it lies, and what its lines may name.
        on_bad: Given the refusal of a line; where it returns, the line is left out.
    """

    text: str
    ground: Ground
    kind: str = ""
    on_bad: Callable[[SourceError], None] = refuse

    @property
    def root(self) -> Path | None:
        """The manifest's folder; None where it lies in an upload."""
        return self.ground.root

    def refs(self, _passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Images in the order of the manifest; holds one line at a time."""
        for _, ref in self.numbered():
            yield ref

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"line {line}" for line, ref in self.numbered() if ref.name == name]

    def numbered(self) -> Iterator[tuple[int, ImageRef]]:
        """Images with the lines that name them, from 1."""
        raise NotImplementedError

    def may_ask(self) -> bool:
        """Whether a line may carry what its image alone is asked; false alarms are no harm."""
        return False

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers from 1, without a byte order mark."""
        try:
            with self.ground.opened() as file:
                first = file.read(2)
                if first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                    reason = "is UTF-16; save the manifest as UTF-8"
                    raise self.error(1, reason, code="manifest.encoding")
                file.seek(0)
                if file.read(3) != codecs.BOM_UTF8:
                    file.seek(0)
                read_line = partial(file.readline, MAX_LINE_BYTES)
                for number, line in enumerate(iter(read_line, b""), 1):
                    if len(line) == MAX_LINE_BYTES:
                        raise self.error(number, f"is longer than {MAX_LINE_BYTES:,} bytes")
                    yield number, line
        except OSError as error:
            raise SourceError(self.text, f"cannot be read: {error.strerror}") from None

    def texts(self) -> Iterator[tuple[int, str]]:
        """Lines as text."""
        for number, line in self.lines():
            try:
                yield number, line.decode()
            except UnicodeDecodeError:
                reason = "is not UTF-8; save the manifest as UTF-8"
                raise self.error(number, reason, code="manifest.encoding") from None

    def ref(
        self, places: Places, line: int, uri: object, name: object, prompts: object = None
    ) -> ImageRef:
        """One line's reference."""
        if prompts is not None:
            asks = self._asks(line, prompts)
            return replace(self.ref(places, line, uri, name), prompts=asks.json_text)
        try:
            if (
                name is None
                and isinstance(uri, str)
                and len(uri) < _PLAIN_LENGTH
                and _PLAIN.fullmatch(uri)
            ):
                return ImageRef(uri, places.plain(uri))
            if not isinstance(uri, str) or not uri:
                raise self.error(line, f"the image must be a path or a URI, not {uri!r:.80}")
            if name is not None and not isinstance(name, str):
                raise self.error(line, f"the name must be a text, not {name!r:.80}")
            full, default = places.located(uri)
        except Misplaced as error:
            raise self.error(line, str(error), code=error.code, params=error.params) from None
        given = name or default
        if reason := names.refusal(given):
            reason = f"the name {names.shown(given)} {reason}"
            raise self.error(line, reason, code="source.name", params={"name": given})
        return ImageRef(given, full)

    def _asks(self, line: int, prompts: object) -> ImageAsks:
        try:
            return ImageAsks.read(prompts)
        except SpecError as error:
            # What is wrong with all of them has no field's name.
            reason = error.reason if error.field == "spec" else str(error)
            raise self.error(line, f"prompts: {reason}") from None

    def unpadded(self, places: Places, line: int, text: str) -> str:
        """Without the spaces around it, which are no part of a path; see ``TextSource``."""
        plain = text.strip()
        if plain.startswith("\ufeff"):
            raise self.error(
                line,
                "begins with a byte order mark, as where two lists were joined; remove it, or name "
                "such a file in a .jsonl",
            )
        if len(plain) != len(text) and plain and places.is_there(text):
            raise self.error(
                line,
                f"{names.shown(text)} begins or ends with a space, and there is such a file; name "
                "it in a .jsonl, where spaces count",
            )
        return plain

    def error(
        self, line: int, reason: str, *, code: str = "", params: Mapping[str, Any] | None = None
    ) -> SourceError:
        """The refusal of a line."""
        return SourceError(self.text, reason, line, code=code, params=params)

"""A small XML file as a tree whose elements know their lines.

The standard library's expat reads it, and a document type is refused: entities, with which a file
of a kilobyte fills the memory or reads other files, can only be declared there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from maskpool.errors import SourceError
from producer.formats.boxes.label_files import small_file

#: Bytes of a file: that of a thousand objects has about 300 kB.
_MAX_BYTES = 4_000_000

#: Elements around an element: VOC has four.
_MAX_DEPTH = 32


@dataclass(slots=True)
class Element:
    """An element.

    Attributes:
        line: Where it begins, from 1.
        pieces: Of its own text: to join them at each of their children would take for ever.
    """

    tag: str
    line: int
    pieces: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Element]:
        """Its children of a name."""
        return (child for child in self.children if child.tag == tag)

    def first(self, tag: str) -> Element | None:
        """Its first child of a name."""
        return next(self.all(tag), None)

    def text_of(self, tag: str) -> str:
        """The text of its first child of a name; empty where there is none."""
        child = self.first(tag)
        return "" if child is None else "".join(child.pieces).strip()


class _Refused(Exception):
    """The document is not read on; the reason is its argument."""


class _Builder:
    """Takes expat's events."""

    def __init__(self) -> None:
        self.root = Element("", 0)
        self._open = [self.root]
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        if len(self._open) > _MAX_DEPTH:
            raise _Refused("is nested too deeply")
        element = Element(tag, self.parser.CurrentLineNumber)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        self._open.pop()

    def _data(self, text: str) -> None:
        self._open[-1].pieces.append(text)

    def _doctype(self, *_: object) -> None:
        raise _Refused("has a document type (<!DOCTYPE …>), which no label file needs; remove it")


def read_xml(path: Path) -> Element:
    """Read the outermost element of a file.

    Raises:
        SourceError: It cannot be read, is no XML, or is more than a label file needs.
    """
    data = small_file(path, _MAX_BYTES)
    builder = _Builder()
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = f"is not XML: {expat.ErrorString(error.code)}"
        raise SourceError(str(path), reason, error.lineno) from None
    except _Refused as error:
        line = builder.parser.CurrentLineNumber
        raise SourceError(str(path), str(error), line) from None
    except (LookupError, ValueError):  # Python's part of reading encodings
        raise SourceError(str(path), "is in an unknown encoding; save it as UTF-8") from None
    return builder.root.children[0]

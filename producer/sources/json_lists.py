"""Manifests of JSON lines: an object, or just a string, for each image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources.grounds import Places
from producer.sources.lists import PROMPTS, URI_FIELDS, ListSource

#: Fields beside the image's own.
_OTHERS = ("name", PROMPTS)

#: What the fields look like in JSON.
_QUOTED = {field: f'"{field}"'.encode() for field in (*URI_FIELDS, *_OTHERS)}


@dataclass(frozen=True, slots=True)
class JsonlSource(ListSource):
    """A JSON object, or just a string, on each line; SageMaker's ``source-ref`` as well."""

    kind: str = "jsonl"

    def numbered(self) -> Iterator[tuple[int, ImageRef]]:
        """See ``ListSource``."""
        places = self.ground.places()
        for number, line in self.lines():
            try:
                ref = self._read(places, number, line)
            except SourceError as error:
                self.on_bad(error)
                continue
            if ref is not None:
                yield number, ref

    def _read(self, places: Places, number: int, line: bytes) -> ImageRef | None:
        """One line's reference; None of a blank line."""
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if not line.strip():
                return None
            raise self.error(number, f"is no JSON ({error.msg})") from None
        return self.ref(places, number, *self._fields(number, item, line))

    def may_ask(self) -> bool:
        """See ``ListSource``."""
        return any(_QUOTED[PROMPTS] in line for _, line in self.lines())

    def _fields(self, line: int, item: Any, written: bytes) -> tuple[object, ...]:  # noqa: ANN401 - parsed JSON
        if isinstance(item, str):
            return item, None
        if isinstance(item, dict):
            for field in URI_FIELDS:
                if field in item:
                    if written.count(_QUOTED[field]) > 1 or any(
                        one in item and written.count(_QUOTED[one]) > 1 for one in _OTHERS
                    ):
                        self._refuse_twice(line, written, field)
                    return item[field], item.get("name"), item.get(PROMPTS)
            raise self.error(
                line, f"has none of the fields {', '.join(URI_FIELDS)}; one must hold the image"
            )
        raise self.error(
            line, f'must be an object or a text, e.g. {{"uri": "a.jpg"}}: {item!r:.80}'
        )

    def _refuse_twice(self, line: int, written: bytes, field: str) -> None:
        """Refuse an object with two images or names: a reader of JSON keeps the last, silently."""
        # The outermost object comes last; json reads what orjson has read.
        objects: list[list[tuple[str, object]]] = []
        json.loads(written, object_pairs_hook=objects.append)
        keys = [key for key, _ in objects[-1]]
        for wanted in (field, *_OTHERS):
            if keys.count(wanted) > 1:
                raise self.error(line, f"has the field {wanted!r} twice; write one image a line")

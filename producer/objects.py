"""What the images of a source are asked one by one, seen as a whole before it is submitted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from maskpool.domain import ImageRef
from producer.sources import Source
from producer.sources.around import may_ask
from producer.sources.boxed import BoxedSource
from producer.sources.sampled import whole


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects that a source asks for.

    Attributes:
        classes: Their categories: a file's own order, or by first appearance.
        digest: SHA-256 over names, URIs and asks of all images; empty where none asks.
    """

    classes: tuple[str, ...] = ()
    digest: str = ""


def survey(source: Source) -> Objects:
    """Read a source once for what its images are asked; sources that cannot ask are not read.

    Raises:
        SourceError: A line is refused.
    """
    asking = whole(source)
    if not isinstance(asking, BoxedSource) and not may_ask(source):
        return Objects()
    digest = Digest()
    classes = dict.fromkeys(asking.classes if isinstance(asking, BoxedSource) else ())
    asked = False
    for ref in digest.over(source.refs()):
        objects = orjson.loads(ref.prompts).get("objects", ()) if ref.prompts else ()
        classes |= dict.fromkeys(one["class"] for one in objects)
        asked = asked or bool(objects)
    return Objects(tuple(classes), digest.value) if asked else Objects()


class Digest:
    """SHA-256 over what a source asks of its images, made while they are read."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    @property
    def value(self) -> str:
        """Of the images so far, in hex."""
        return self._hash.hexdigest()

    def over(self, refs: Iterable[ImageRef]) -> Iterator[ImageRef]:
        """The same images."""
        for ref in refs:
            self._hash.update(orjson.dumps([ref.name, ref.uri, ref.prompts]))
            yield ref

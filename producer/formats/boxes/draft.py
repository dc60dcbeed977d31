"""A box file while it is read: every format adds to it what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from maskpool.asks import MAX_OBJECTS, ObjectPrompt
from maskpool.errors import SourceError, SpecError
from maskpool.strict import spec_error
from producer.formats.boxes.box_file import BoxFile, ImageBoxes, Kind
from producer.formats.boxes.problems import Problems

#: As many objects are surely within the bytes that one image may have: a name has 200 characters
#: of at most 6 bytes, a number 24 bytes. Objects with points are always looked at.
_SURE = 40


class Draft:
    """Images, classes and problems of a file that is being read.

    Args:
        path: The file or folder, as it was given.
        kind: Its format.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path = path
        self.kind = kind
        self.problems = Problems()
        self._classes: dict[str, int] = {}
        self._images: dict[str, ImageBoxes] = {}

    def label(self, name: str) -> int:
        """The index of a class, which is added where it is new; two of one name are one.

        Raises:
            ValueError: The name is none; a sentence without the place.
        """
        known = self._classes.get(name)
        if known is not None:
            return known
        plain = _class_name(name)
        return self._classes.setdefault(plain, len(self._classes))

    def image(self, key: str, image: ImageBoxes) -> ImageBoxes:
        """Add an image.

        Raises:
            ValueError: Another one has the same key; a sentence without the place.
        """
        if not key:
            raise ValueError("names no image")
        other = self._images.setdefault(key, image)
        if other is not image:
            msg = (
                f"means the image {key!r:.200}, and so does {other.called!r:.200}; an image stands "
                "once in a file, so leave one out"
            )
            raise ValueError(msg)
        return image

    def forget(self, key: str) -> None:
        """Take an image out that turned out to be unclear."""
        self._images.pop(key, None)

    def finish(self) -> BoxFile:
        """The file as it was read; images that ask for too much are taken out with a sentence."""
        classes = tuple(self._classes)
        file = BoxFile(self.path, self.kind, classes, self._images, self.problems)
        for key, image in list(self._images.items()):
            if reason := _too_much(file, key):
                self.problems.add(SourceError(str(image.place), f"{image.called!r:.200}: {reason}"))
                del self._images[key]
        return file


def read_each(
    draft: Draft, root: Path, files: Iterable[str], add: Callable[[Draft, Path, str], None]
) -> BoxFile:
    """Read a file for each image.

    Args:
        draft: Gets what is found, and a problem for each file that cannot be read.
        root: The folder.
        files: Label files, below the folder.
        add: Reads one of them; its path, and its name below the folder.

    Raises:
        SourceError: The only file that was given cannot be read.
    """
    for file in files:
        try:
            add(draft, root / file, file)
        except SourceError as error:
            if root != draft.path:
                raise
            draft.problems.add(error)
    return draft.finish()


def _class_name(name: str) -> str:
    try:
        return ObjectPrompt.model_validate({"class": name, "box": (0, 0, 1, 1)}).class_name
    except ValidationError as error:
        raise ValueError(f"the class's name {spec_error(error).reason}") from None


def _too_much(file: BoxFile, key: str) -> str:
    """Why an image's objects are too many, or an empty string."""
    image = file.images[key]
    if image.count > MAX_OBJECTS:
        return (
            f"has {image.count:,} objects, and one image may have {MAX_OBJECTS:,}; none of them "
            "is used: leave some out, or cut the image"
        )
    if image.count <= _SURE and not image.has_points:
        return ""
    try:
        file.asks_of(key)
    except SpecError as error:
        return f"its objects {error.reason}; none of them is used: leave some out"
    return ""

"""The keys by which the images of a source and those of a file meet.

A key is a path with ``/`` between its parts, without what says nothing of the image: a drive,
``.`` and ``..``, and the form of accents (disks of Apple store another one than people type). Where
a label file stands for its image, the key has no ending, and no ``labels`` or ``images``, either:
tools put the two into folders that differ in this part only.
"""

from __future__ import annotations

import os
import unicodedata

#: Folders in which tools keep images and labels side by side, in lower case: YOLO's, and VOC's.
_LAYOUT = frozenset({"images", "labels", "jpegimages", "annotations"})


def path_key(name: str) -> str:
    """The key of a path that a file or a source gives."""
    if "\\" in name:
        name = name.replace("\\", "/")
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    parts = name.split("/")
    if parts[0][1:] == ":":  # a drive of Windows
        del parts[0]
    return "/".join(part for part in parts if part not in {"", ".", ".."})


def stem_key(name: str) -> str:
    """The key of a label file or an image by its path, without the ending."""
    *folders, last = path_key(name).split("/")
    for place in range(len(folders) - 1, -1, -1):
        if folders[place].lower() in _LAYOUT:
            del folders[place]
            break
    return "/".join([*folders, stem_of(last)])


def stem_of(name: str) -> str:
    """A name without folders and ending."""
    return os.path.splitext(path_key(name).rpartition("/")[2])[0]  # noqa: PTH122 - no Path for each image


def tails(key: str) -> list[str]:
    """The ends of a path after each of its slashes, the longest first."""
    found = []
    while "/" in key:
        key = key.partition("/")[2]
        found.append(key)
    return found


def require_own_image(file: str, named: str) -> None:
    """Refuse a label file that names another image than the one it is called after.

    Some tools go by the name within, some by the file's own; where the two differ, one of them
    would put boxes on another image.

    Args:
        file: Path of the label file.
        named: What it says of its image, with or without an ending; empty where it says nothing.

    Raises:
        ValueError: They differ; a sentence without the place.
    """
    if not named:
        return
    last = path_key(named).rpartition("/")[2]
    if stem_of(file) not in {last, stem_of(last)}:
        msg = (
            f"names the image {named!r:.200}, and is itself called after another one; rename one "
            "of the two"
        )
        raise ValueError(msg)

"""Names of YOLO's classes: ``data.yaml`` of Ultralytics, ``classes.txt`` of other tools."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import yaml

from maskpool.errors import SourceError
from producer.formats.boxes.label_files import text_of

#: Files that name classes; ``obj.names`` is Darknet's.
_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt", "obj.names")

#: Bytes of a file: one of twenty thousand classes has fewer.
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class YoloNames:
    """What is known of a dataset's classes.

    Attributes:
        path: The file that names them.
        names: By index.
        keypoints: Numbers that follow the box in each line of a pose dataset; 0 in others.
    """

    path: Path
    names: dict[int, str]
    keypoints: int = 0


def find_names(folder: Path) -> YoloNames:
    """The classes of a folder with labels, named in it, beside it, or in the dataset's folder.

    Raises:
        SourceError: Nothing names them, two files name them differently, or one is damaged.
    """
    for place in _places(folder):
        found = [read_names(place / name) for name in _FILES if (place / name).is_file()]
        for other in found[1:]:
            if other.names != found[0].names:
                reason = f"names other classes than {other.path.name} beside it; remove one"
                raise SourceError(str(found[0].path), reason)
        if found:
            return found[0]
    raise SourceError(
        str(folder),
        "holds labels of YOLO, which give classes as numbers, and no data.yaml or classes.txt is "
        "in it or beside it; write one name a line into classes.txt, the name of class 0 first",
    )


def _places(folder: Path) -> list[Path]:
    """Where names may be: ``labels/train`` and ``train/labels`` lie two folders deep."""
    above = folder.absolute().parents
    deep = "labels" in {folder.absolute().name.lower(), above[0].name.lower() if above else ""}
    return [folder, *above[: 2 if deep else 1]]


def read_names(path: Path) -> YoloNames:
    """The classes that a file names.

    Raises:
        SourceError: It cannot be read, or names none; names the line.
    """
    if path.suffix.lower() in {".yaml", ".yml"}:
        return _of_yaml(path)
    # An empty line counts, or the classes after it would move up; at the end it is no class.
    lines = text_of(path, _MAX_BYTES).rstrip().split("\n")
    return YoloNames(path, dict(enumerate(line.strip() for line in lines)))


def _of_yaml(path: Path) -> YoloNames:
    fields = dict(_pairs(path, _root(path)))
    if "names" not in fields:
        raise SourceError(str(path), "has no 'names'; list the classes' names there")
    keypoints = prod(_shape(path, fields["kpt_shape"])) if "kpt_shape" in fields else 0
    return YoloNames(path, _names(path, fields["names"]), keypoints)


def _root(path: Path) -> yaml.Node | None:
    """The nodes of a YAML file as they are written: a class called ``no`` is a name, no ``False``.

    Nothing is constructed, and an alias is the same node again, so no file can be a bomb.
    """
    try:
        return yaml.compose(text_of(path, _MAX_BYTES), Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise SourceError(str(path), f"is not YAML: {error.problem}", line) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(str(path), f"is not YAML: {reason}") from None
    except RecursionError:
        raise SourceError(str(path), "is nested too deeply") from None


def _pairs(path: Path, node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    """A mapping's keys, each once, with their nodes."""
    if not isinstance(node, yaml.MappingNode):
        raise SourceError(str(path), "must be a mapping with the field 'names'", _line(node))
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = _scalar(path, key)
        if name in found:
            raise SourceError(str(path), f"has {name!r:.80} twice; keep one", _line(key))
        found[name] = value
    return list(found.items())


def _names(path: Path, node: yaml.Node) -> dict[int, str]:
    """Names as a list, or as a mapping of numbers to names."""
    if isinstance(node, yaml.SequenceNode):
        return {index: _scalar(path, one) for index, one in enumerate(node.value)}
    found: dict[int, str] = {}
    for key, value in _pairs(path, node):
        if not key.isascii() or not key.isdecimal() or len(key) > 9:
            reason = f"the class {key!r:.80} must be a whole number from 0 on"
            raise SourceError(str(path), reason, _line(value))
        found[int(key)] = _scalar(path, value)
    return found


def _shape(path: Path, node: yaml.Node) -> list[int]:
    """``kpt_shape``: how many keypoints, and how many numbers each has."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else []
    texts = [_scalar(path, one) for one in nodes]
    if len(texts) != 2 or not all(text.isdecimal() and len(text) < 5 for text in texts):
        reason = "kpt_shape must be two whole numbers, such as [17, 3]"
        raise SourceError(str(path), reason, _line(node))
    return [int(text) for text in texts]


def _scalar(path: Path, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise SourceError(str(path), "has a list or a mapping where a name must stand", _line(node))
    return str(node.value)


def _line(node: yaml.Node | None) -> int | None:
    return None if node is None else node.start_mark.line + 1

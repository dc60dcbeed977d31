"""A small file in YAML or JSON, read so that nothing in it is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from maskpool.errors import SpecError

#: A larger file was written by no person.
_MAX_BYTES = 1024 * 1024

#: A spec is four deep. The reader's time grows with the square of the depth.
_MAX_DEPTH = 32


class _OnceLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML, also refusing what would be read in another way than it is written."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - yaml has no types
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(
                problem="has an alias (*); write what it stands for", problem_mark=event.start_mark
            )
        if self._depth == _MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(
                problem=f"is nested more than {_MAX_DEPTH} deep", problem_mark=mark
            )
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="has a field whose name is no text", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"has the field {key.value!r} twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(path: Path) -> object:
    """Parse a small file; every JSON is YAML as well.

    Raises:
        SpecError: It cannot be read, or not in one way only; names the line.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SpecError("spec", f"has more than {_MAX_BYTES:,} bytes; it is no spec")
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SpecError("spec", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpecError("spec", "is not UTF-8; save it as UTF-8") from None
    return parse_yaml(content)


def parse_yaml(content: str) -> object:
    """Parse the content of a small file.

    Raises:
        SpecError: It can be read in no way, or not in one way only; names the line.
    """
    try:
        read: object = yaml.load(content, Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"line {line}", error.problem or "is neither JSON nor YAML") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise SpecError("spec", "is neither JSON nor YAML") from None
    if read is None:
        raise SpecError("spec", "is empty; write 'prompts: [yellow school bus]'")
    return read

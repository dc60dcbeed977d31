"""A small file in YAML or JSON, read so that nothing in it is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from maskpool.errors import SpecError

#: A larger file was written by no person.
_MAX_BYTES = 1024 * 1024

#: A spec is four deep. The reader's time grows with the square of the depth.
_MAX_DEPTH = 32


_NEITHER = "is neither JSON nor YAML"


class _Refused(yaml.MarkedYAMLError):  # type: ignore[misc]
    """What could be read, but in another way than it is written."""

    def __init__(self, mark: yaml.Mark, problem: str, *, code: str, **params: str | int) -> None:
        super().__init__(problem=problem, problem_mark=mark)
        self.code, self.params = code, params


class _OnceLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML, also refusing what would be read in another way than it is written."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - yaml has no types
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            reason = "has an alias (*); write what it stands for"
            raise _Refused(event.start_mark, reason, code="yaml.alias")
        if self._depth == _MAX_DEPTH:
            mark = self.peek_event().start_mark
            reason = f"is nested more than {_MAX_DEPTH} deep"
            raise _Refused(mark, reason, code="yaml.deep", limit=_MAX_DEPTH)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                reason = "has a field whose name is no text"
                raise _Refused(key.start_mark, reason, code="yaml.name")
            if key.value in seen:
                reason = f"has the field {key.value!r} twice"
                raise _Refused(key.start_mark, reason, code="yaml.twice", name=key.value)
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
    except _Refused as error:
        raise _at_line(error, error.code, error.params) from None
    except yaml.MarkedYAMLError as error:
        raise _at_line(error, "yaml.broken", {}) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise SpecError("spec", _NEITHER, code="yaml.none") from None
    if read is None:
        reason = "is empty; write 'prompts: [yellow school bus]'"
        raise SpecError("spec", reason, code="yaml.empty")
    return read


def _at_line(error: yaml.MarkedYAMLError, code: str, params: Mapping[str, str | int]) -> SpecError:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    reason = error.problem or _NEITHER
    return SpecError(f"line {line}", reason, code=code, params={"line": line, **params})

"""What all verbs share: text that cannot be written anywhere is refused before anything begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from maskpool import exits
from maskpool.errors import SpecError, Unreachable
from maskpool.text import is_storable
from producer.cli import streams

#: Parameters that name a file or a folder, which may have any bytes in its path.
PATHS = {"source", "out", "root", "truth", "pred", "spec", "boxes"}


class Reads(TyperCommand):
    """A verb that shows something: it ends when nobody looks any more."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer names no type of its copy of Click
        """Run the verb.

        Raises:
            SpecError: An argument is not UTF-8; names it.
        """
        for name, text in self._texts(ctx):
            if not is_storable(text):
                raise SpecError(
                    name,
                    f"{text!r} is not UTF-8, and no row or file could keep it; write it in a "
                    "terminal whose locale is UTF-8",
                )
        return super().invoke(ctx)

    def _texts(self, ctx: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - as above
        for param in self.params:
            value = ctx.params.get(param.name)
            if param.name not in PATHS:
                for one in value if isinstance(value, list | tuple) else [value]:
                    if isinstance(one, str):
                        yield max(param.opts, key=len), one


class Works(Reads):
    """A verb that does something: it finishes, and keeps its code, whoever looks."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Run the verb; see ``Reads``."""
        streams.go_on_without_reader()
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # which Typer would take for standard output's
            raise Unreachable("a service", "it broke off the connection") from error


class Writes(Reads):
    """``export``: where it writes a file it works; where it prints the data set it reads."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Run the verb; see ``Reads``."""
        if ctx.params.get("out") not in (Path("-"), "-"):
            streams.go_on_without_reader()
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # of a named pipe
            return exits.OUTPUT_CLOSED

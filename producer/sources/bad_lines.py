"""Lines of a manifest that were refused, told all at once."""

from __future__ import annotations

from typing import Any

from maskpool.errors import SourceError
from maskpool.text import counted

#: Lines that one refusal names.
_MAX_NAMED = 20


class BadLines:
    """Lines that were refused: the first of them, and how many there are.

    Attributes:
        cut_off: Whether nothing could be read after the last of them.
    """

    def __init__(self) -> None:
        self._first: list[SourceError] = []
        self._count = 0
        self.cut_off = False

    def add(self, error: SourceError) -> None:
        """Count one."""
        self._count += 1
        if len(self._first) < _MAX_NAMED:
            self._first.append(error)

    def require_none(self, file: str) -> None:
        """Refuse the manifest if there was one.

        Raises:
            SourceError: Names the first of them, and counts them all.
        """
        if not self._count:
            return
        more = self._count - len(self._first)
        told = [*map(_told, self._first), *([f"and {more:,} more"] if more else [])]
        after = "; what stands after that was not read" if self.cut_off else ""
        lines = counted(self._count, "line is", "lines are")
        # Files of the upload are looked for some lines later than what else a line may lack.
        in_order = sorted(self._first, key=lambda one: one.line or 0)
        raise SourceError(
            file,
            f"{lines} refused, so no batch was made; mend that and send the manifest again: "
            f"{'; '.join(told)}{after}",
            count=self._count,
            code="manifest.lines",
            params={"source": file, "refused": self._count, "lines": [*map(_shown, in_order)]},
        )


def _told(error: SourceError) -> str:
    where = "" if error.line is None else f"line {error.line:,}: "
    return f"{where}{error.reason}"


def _shown(error: SourceError) -> dict[str, Any]:
    """A line's refusal as pages translate it."""
    said = {"code": error.code or "source.refused", "params": error.params}
    return {"line": error.line, **said, "detail": error.reason}

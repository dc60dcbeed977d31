"""The table that a benchmark ends with: what was measured beside its target and the stock way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Marks a target that was missed.
_MISSED = "✗"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        target: ``≤ 250`` or ``≥ 8,000``, in the unit of what was measured; empty for none.
        stock: The same figure of the stock way.
    """

    what: str
    measured: float
    unit: str
    target: str = ""
    stock: float | None = None
    note: str = ""

    @property
    def ratio(self) -> str:
        """How many times better than the stock way."""
        if not self.stock or not self.measured:
            return ""
        better = self.measured / self.stock if "/s" in self.unit else self.stock / self.measured
        return f"{better:.0f}×" if better >= 10 else f"{better:.1f}×"

    @property
    def is_missed(self) -> bool:
        """Whether there is a target that was not reached."""
        if not self.target:
            return False
        found = re.fullmatch(r"([≤≥]) ([\d,.]+)", self.target)
        if found is None:
            raise ValueError(f"a target reads '≤ 250' or '≥ 8,000', not {self.target!r}")
        bound = float(found[2].replace(",", ""))
        return self.measured > bound if found[1] == "≤" else self.measured < bound

    def __str__(self) -> str:
        mark = _MISSED if self.is_missed else ""
        beside = f"stock {self.stock:,.1f}  {self.ratio}" if self.stock else ""
        figures = f"{self.measured:>10,.2f} {self.unit:<10}{self.target:<9}{mark:<2}"
        return f"{self.what:<56}{figures}{beside:<24}{self.note}".rstrip()


def show(rows: Iterable[Row]) -> None:
    """Print some lines of it."""
    for row in rows:
        print(row, flush=True)


def sum_up(rows: Iterable[Row]) -> None:
    """Print how many targets are missed."""
    missed = sum(row.is_missed for row in rows)
    print(f"{_MISSED}: {missed} missed" if missed else "no target is missed")

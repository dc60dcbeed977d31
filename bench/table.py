"""The lines of a benchmark's table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        stock: The same of the stock way, in the same unit.
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


def show(rows: Iterable[Row]) -> None:
    """Print them."""
    for row in rows:
        beside = f"stock {row.stock:,.1f}  {row.ratio}" if row.stock else ""
        figures = f"{row.measured:>10,.2f} {row.unit:<9}{row.target:<10}"
        print(f"{row.what:<46}{figures}{beside:<26}{row.note}".rstrip())

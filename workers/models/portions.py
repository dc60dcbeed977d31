"""Runs rows in portions of bounded size on a device that may run out of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


class Portions:
    """Runs rows in portions; halves the portion for good where the device has too little memory.

    Args:
        size: Most rows in one portion.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            msg = f"a portion holds at least one row, not {size}"
            raise ValueError(msg)
        self.size = size

    def map(
        self, rows: Sequence[_Row], run: Callable[[Sequence[_Row]], Sequence[_Result]]
    ) -> list[_Result]:
        """Run all ``rows``; one result a row, in their order.

        Raises:
            torch.OutOfMemoryError: Not even one row fits.
        """
        results: list[_Result] = []
        while len(results) < len(rows):
            portion = rows[len(results) : len(results) + self.size]
            try:
                results.extend(run(portion))
            except torch.OutOfMemoryError:
                if len(portion) == 1:
                    raise
                self.size = len(portion) // 2
        return results

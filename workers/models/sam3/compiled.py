"""Functions compiled at a few fixed sizes, so that nothing is ever compiled in service."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

#: Tensors in, tensors out; what is given by position and what comes back has one row for each
#: image, or for each prompt of one, and what is given by name is the same for all rows.
Pass = Callable[..., tuple[torch.Tensor, ...]]


class CompiledPass:
    """A pass that runs at the next larger of some sizes; the rows added are cut off again.

    Args:
        function: Must be one graph: no value may be read back on the way.
        sizes: Numbers of rows, rising.
        backend: Of ``torch.compile``.
    """

    def __init__(self, function: Pass, sizes: Sequence[int], backend: str = "inductor") -> None:
        self.sizes = tuple(sizes)
        self._compiled: Pass = torch.compile(
            function, fullgraph=True, dynamic=False, backend=backend
        )

    def __call__(self, *rows: torch.Tensor, **shared: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As the function; more rows than the largest size run in several portions."""
        most, count = self.sizes[-1], len(rows[0])
        portions = [
            self._run([one[start : start + most] for one in rows], shared)
            for start in range(0, count, most)
        ]
        if len(portions) == 1:
            return portions[0]
        return tuple(torch.cat(parts) for parts in zip(*portions, strict=True))

    def _run(
        self, rows: Sequence[torch.Tensor], shared: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        count = len(rows[0])
        size = next(size for size in self.sizes if size >= count)
        results = self._compiled(*(_filled(one, size) for one in rows), **shared)
        return tuple(result[:count] for result in results)


def _filled(rows: torch.Tensor, size: int) -> torch.Tensor:
    """As many rows as ``size``: the last is repeated. Graphs are of strides too, so one layout."""
    missing = size - len(rows)
    if missing:
        rows = torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])
    return rows.contiguous()

"""Who pays how much of a call's device time: measured by part, divided by what each asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class _Instant:
    """A moment on the device: reached when all that was asked before it is done."""

    host: float
    event: torch.cuda.Event | None

    def until(self, later: _Instant) -> float:
        """Seconds from here to ``later``."""
        if self.event is None or later.event is None:
            return later.host - self.host
        later.event.synchronize()
        return float(self.event.elapsed_time(later.event)) / 1000


class Shares:
    """Measures the parts of one call; on CUDA by events, so that nothing is waited for on the way.

    Args:
        device: Where the parts run.
        payers: How many share the time.
    """

    def __init__(self, device: torch.device, payers: int) -> None:
        self._device = device
        self._payers = payers
        self._parts: list[tuple[_Instant, _Instant, Sequence[float]]] = []

    @contextmanager
    def among(self, weights: Sequence[float]) -> Iterator[None]:
        """Measure the block; each payer pays by its weight, of which one at least is above 0."""
        begun = self._instant()
        yield
        self._parts.append((begun, self._instant(), weights))

    def seconds(self) -> list[float]:
        """What each has to pay; waits for the device."""
        owed = [0.0] * self._payers
        for begun, ended, weights in self._parts:
            each = begun.until(ended) / sum(weights)
            owed = [one + each * weight for one, weight in zip(owed, weights, strict=True)]
        return owed

    def _instant(self) -> _Instant:
        event = None
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
        return _Instant(time.perf_counter(), event)

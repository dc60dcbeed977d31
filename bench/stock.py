"""The stock Celery way, ``bench/stock_queue.py``, run on the same servers."""

from __future__ import annotations

import importlib
import os
import sys
import time
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import func, select

from bench import machine
from bench.pool import Servers, processes, until

_WORKERS = 2


@dataclass(frozen=True)
class Stock:
    """Figures of the stock way.

    Attributes:
        enqueued_per_s: Images enqueued a second.
        images_per_s: Images finished a second.
        cpu_us: CPU µs an image, of all processes but the enqueuer.
    """

    enqueued_per_s: float
    images_per_s: float
    cpu_us: float


def stock_way(here: Servers, count: int, instances: int) -> Stock:
    """``count`` images, each with so many instances."""
    told = _told(here)
    module = _fresh_module(told)
    with module.sessions() as session:
        began = time.perf_counter()
        for number in range(count):
            module.enqueue(session, f"{number}.jpg", instances)
        enqueued = count / (time.perf_counter() - began)
    command = ["-m", "celery", "-A", "bench.stock_queue", "worker", "-c", str(_WORKERS)]
    servers = machine.Meter(here.pids)
    servers.start()
    with processes([command], told, here.folder) as (worker,):
        until(lambda: _left(module) < count, every=0.005)
        meter = machine.Meter({"worker": [worker.pid]})
        meter.start()
        began, at = time.perf_counter(), _left(module)
        until(lambda: _left(module) == 0)
        seconds = time.perf_counter() - began
        spent = sum(servers.read().values()) + sum(meter.read().values())
    module.engine.dispose()
    return Stock(enqueued, at / seconds, spent / count * 1e6)


def _told(here: Servers) -> dict[str, str]:
    url = here.postgres.url(here.postgres.create())
    database = url.replace("postgresql://", "postgresql+psycopg://")
    return {"STOCK_BROKER": here.redis.url, "STOCK_DATABASE": database}


def _fresh_module(told: dict[str, str]) -> ModuleType:
    """Import it anew, since it reads the environment at import, as the tutorials do."""
    os.environ.update(told)
    sys.modules.pop("bench.stock_queue", None)
    module = importlib.import_module("bench.stock_queue")
    module.Base.metadata.create_all(module.engine)
    return module


def _left(stock: ModuleType) -> int:
    with stock.sessions() as session:
        waiting = select(func.count()).where(stock.Image.state == "waiting")
        return session.scalar(waiting) or 0

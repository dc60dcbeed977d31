"""What asking about one image through the web server adds to the queue's own latency."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from bench.asking import Asker, await_workers
from bench.crowd import listed
from bench.http_load import Connection
from bench.pool import processes
from bench.table import Row
from db.session import Database

#: Seconds between two; a prime number of milliseconds, so that they do not fall into step with
#: the pool's ticks.
_APART = 0.053


def predict(
    port: int, token: str, told: dict[str, str], database: Database, folder: Path, times: int
) -> list[Row]:
    """In turns: one image through the queue's own submit, one asked about through the server.

    Args:
        port: Of the server.
        token: Of somebody who may ask.
        told: Environment of the pool's processes.
        database: Of the pool.
        folder: For images.
        times: How often.
    """
    commands = [["-m", "producer.cli", "dispatch"], *[["-m", "bench.predict_worker"]] * 2]
    own, ours = [], []
    with Asker(database, told) as asker, processes(commands, told, folder):
        await_workers(database, 2)
        one = listed(folder, 1)
        batch_id = asker.submit(one)
        asked = {
            "batch": str(batch_id),
            "image": 0,
            "prompts": [{"text": "a"}],
            "model": "demo",
        }
        body = json.dumps(asked).encode()
        with Connection(port, token) as connection:
            for number in range(times + 3):
                waited = asker.wait_for(one)
                time.sleep(_APART)
                began = time.perf_counter()
                said = json.loads(
                    connection.ask("POST", "/api/v1/predict", body, "application/json")
                )
                took = (time.perf_counter() - began) * 1000
                if said["state"] != "ended":
                    raise SystemExit(f"predict has not ended: {said}")
                if number >= 3:
                    own.append(waited)
                    ours.append(took)
                time.sleep(_APART)
    queue, through = statistics.median(own), statistics.median(ours)
    return [
        Row("predict of a stored image, p50", through, "ms", "", queue, "stock: submit and wait"),
        Row("  added to the queue's own", through - queue, "ms", "≤ 8"),
    ]

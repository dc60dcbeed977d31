"""How much of each fault: a short version for every test run, and all of it for ``make faults``.

``MASKPOOL_FAULTS=full`` is read when this is imported, before the tests clear the environment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How often each fault happens, at least."""

    kills: int
    #: That end while workers are killed.
    jobs: int
    #: That end under each of the other faults.
    other_jobs: int
    broker_faults: int
    dispatcher_kills: int
    stops: int
    poisons: int
    rolls: int
    outages: int
    outage_seconds: float


SHORT = Sizes(
    kills=10,
    jobs=300,
    other_jobs=120,
    broker_faults=4,
    dispatcher_kills=4,
    stops=1,
    poisons=1,
    rolls=1,
    outages=1,
    outage_seconds=5.0,
)

FULL = Sizes(
    kills=200,
    jobs=5_000,
    other_jobs=1_000,
    broker_faults=30,
    dispatcher_kills=40,
    stops=10,
    poisons=3,
    rolls=5,
    outages=3,
    outage_seconds=30.0,
)

IS_FULL = os.environ.get("MASKPOOL_FAULTS") == "full"
SIZES = FULL if IS_FULL else SHORT

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
    #: Of a batch with more work than a pool does while it is looked at.
    endless_jobs: int
    #: Of the batch that small ones come behind.
    large_jobs: int
    #: Over which shares are measured, of each worker of the pool.
    share_seconds: float
    #: Batches of 100 images behind a large one, by each owner.
    small_batches: int
    #: Batches of one image that somebody waits for.
    interactive: int
    #: Of whoever is killed at a named step, at each of them.
    deaths_a_step: int
    #: Postgres stopped under a submitter.
    submit_outages: int
    #: At once, with one key.
    submitters: int
    #: Of each line, in each way.
    partitions: int
    #: Answers to a finish's COMMIT.
    lost_replies: int
    #: Pauses, and as many cancels.
    commands: int
    #: Of workers whose clocks are wrong.
    clock_kills: int
    #: That end while a store fails or a disk is full.
    stored_jobs: int
    #: Of the store, each followed by work.
    store_outages: int
    #: Each; a tenth of what it would be, as every time there.
    store_outage_seconds: float
    #: That the store swallows uploads without a word.
    hang_seconds: float
    #: That a disk stays full.
    full_seconds: float
    #: Of web servers, at random.
    web_kills: int


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
    endless_jobs=5_000,
    large_jobs=10_000,
    share_seconds=5.0,
    small_batches=1,
    interactive=10,
    partitions=1,
    lost_replies=3,
    commands=3,
    clock_kills=1,
    deaths_a_step=1,
    submit_outages=1,
    submitters=3,
    stored_jobs=80,
    store_outages=1,
    store_outage_seconds=2.0,
    hang_seconds=4.0,
    full_seconds=2.0,
    web_kills=2,
)

FULL = Sizes(
    kills=200,
    jobs=5_000,
    other_jobs=1_000,
    broker_faults=30,
    dispatcher_kills=30,
    stops=6,
    poisons=3,
    rolls=5,
    outages=2,
    outage_seconds=30.0,
    endless_jobs=50_000,
    large_jobs=100_000,
    share_seconds=16.0,
    small_batches=2,
    interactive=50,
    partitions=1,
    lost_replies=20,
    commands=5,
    clock_kills=5,
    deaths_a_step=3,
    submit_outages=4,
    submitters=20,
    stored_jobs=400,
    store_outages=3,
    store_outage_seconds=8.0,
    hang_seconds=18.0,
    full_seconds=5.0,
    web_kills=60,
)

IS_FULL = os.environ.get("MASKPOOL_FAULTS") == "full"
SIZES = FULL if IS_FULL else SHORT

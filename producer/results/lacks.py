"""Images of a batch that a dataset lacks: those that failed, and those nobody came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from uuid import UUID

from db import jobs
from db.session import Database
from maskpool.domain import JobState
from producer.results import reader
from producer.results.records import Failure

#: Failed images that a dataset names at most; their count is always exact.
MAX_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class Lacks:
    """What has no result.

    Attributes:
        total: Images in all.
        failed: Images that failed.
        failures: The first ``MAX_NAMED`` of them, with the reason.
        unfinished: Images that are neither done nor failed.
    """

    total: int
    failed: int
    failures: Sequence[Failure]
    unfinished: int

    def info(self) -> dict[str, object]:
        """What a dataset says of them: a training tool must not take them for empty images.

        Nothing where every image has a result.
        """
        said: dict[str, object] = {}
        if self.failed:
            named = [{"file_name": one.name, "error": one.error} for one in self.failures]
            said |= {"failed": self.failed, "failed_images": named}
        if self.unfinished:
            said["unfinished"] = self.unfinished
        return said


def read_lacks(database: Database, batch_id: UUID) -> Lacks:
    """What has no result in one batch, counted job by job: its row says it a tick later."""
    with database.read() as session:
        counts = jobs.count_by_state(session, batch_id)
    failed, total = counts.get(JobState.FAILED, 0), sum(counts.values())
    named = reader.read_failures(database, batch_id) if failed else iter(())
    return Lacks(
        total=total,
        failed=failed,
        failures=tuple(islice(named, MAX_NAMED)),
        unfinished=total - failed - counts.get(JobState.DONE, 0),
    )


def together(batches: Iterable[Lacks]) -> Lacks:
    """The sum over several batches; an image that failed in two of them counts twice."""
    each = list(batches)
    return Lacks(
        total=sum(one.total for one in each),
        failed=sum(one.failed for one in each),
        failures=tuple(islice(chain.from_iterable(one.failures for one in each), MAX_NAMED)),
        unfinished=sum(one.unfinished for one in each),
    )

"""What the checker says: kinds of findings, one finding, and how much was read for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What is wrong, or worth knowing."""

    #: A job that was submitted has no row, or a row is beyond those that were submitted.
    JOB = "job"
    #: A batch's spec cannot be read, so no worker can do its jobs.
    SPEC = "spec"
    #: A job's state is not one that its batch's state allows: an ended batch with an open job.
    STATE = "state"
    #: A claimed job that no live chunk holds: nobody will ever work on it.
    UNCLAIMED = "unclaimed"
    #: A job in two live chunks.
    CLAIMED_TWICE = "claimed-twice"
    #: A chunk that does not fit its batch or its jobs.
    CHUNK = "chunk"
    #: A lease where none may be, or none where one must be.
    LEASE = "lease"
    #: A RUNNING chunk whose lease lapsed long ago: no dispatcher runs.
    LAPSED = "lapsed"
    #: A counter of the batch is not what a recount gives.
    COUNTER = "counter"
    #: What was counted in a batch by score is not what a recount gives.
    COUNTS = "counts"
    #: Two jobs of a batch bear one name.
    NAME = "name"
    #: More attempts than the cap.
    ATTEMPTS = "attempts"
    #: More losses than the cap.
    LOSSES = "losses"
    #: A time to try again outside RETRY, or none in it.
    NEXT_AT = "next-at"
    #: FAILED without a sentence, or DONE with one.
    ERROR = "error"
    #: DONE without a result, or a result of a job that is not DONE.
    RESULT = "result"
    #: Rows of a batch that is gone.
    NO_BATCH = "no-batch"
    #: A clerk's task whose row contradicts itself.
    TASK = "task"
    #: An upload that is kept for a batch that is gone.
    UPLOAD = "upload"
    #: A mask object that a job's row names is not there.
    MISSING_OBJECT = "missing-object"
    #: A mask object's bytes are not those that were written.
    DAMAGED_OBJECT = "damaged-object"
    #: A mask object and the rows that name it disagree on which jobs it holds, or where.
    PLACE = "frame"  # the value that programs have read since doctor --deep has been there
    #: Instances' rows are not what the mask object holds, or belong to a job that is not DONE.
    INSTANCES = "instances"
    #: An object that no row names; ``maskpool gc`` deletes it.
    ORPHAN = "orphan"


#: Worth knowing, and nothing of the result is wrong.
NOTES = frozenset({Kind.LAPSED, Kind.ORPHAN})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        batch_id: Whose; None for an object that belongs to no batch we know.
        subject: The job, chunk, object, table or column meant.
        sentence: What was found, and what should be there.
    """

    kind: Kind
    batch_id: UUID | None
    subject: str
    sentence: str

    @property
    def wrong(self) -> bool:
        """False for what is only worth knowing."""
        return self.kind not in NOTES


@dataclass(slots=True)
class Tally:
    """How much was read: that nothing is wrong with nothing would say little."""

    batches: int = 0
    jobs: int = 0
    objects: int = 0
    instances: int = 0

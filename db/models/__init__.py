"""The tables. Constraints carry the invariants; the statements live in the modules of ``db``.

Times are milliseconds since 1970 by the database's clock (``db.clock``), so that a worker's wrong
clock changes nothing.
"""

from __future__ import annotations

from db.models.accounts import (
    AuditRow,
    IdempotencyRow,
    MembershipRow,
    SessionRow,
    SourceGrantRow,
    TeamRow,
    TokenRow,
    UserRow,
)
from db.models.base import Base
from db.models.counts import CountRow, ScoreBlockRow, ScoreCountRow, UncertaintyRow
from db.models.glossary import GlossaryRow, GlossaryWordRow
from db.models.queue import BatchRow, ChunkRow, InstanceRow, JobRow, ServiceRow, WorkerRow
from db.models.requests import (
    KeptRow,
    ReadingChangeRow,
    TaskRow,
    UploadFileRow,
    UploadRow,
    UploadUseRow,
)

__all__ = [
    "AuditRow",
    "Base",
    "BatchRow",
    "ChunkRow",
    "CountRow",
    "GlossaryRow",
    "GlossaryWordRow",
    "IdempotencyRow",
    "InstanceRow",
    "JobRow",
    "KeptRow",
    "MembershipRow",
    "ReadingChangeRow",
    "ScoreBlockRow",
    "ScoreCountRow",
    "ServiceRow",
    "SessionRow",
    "SourceGrantRow",
    "TaskRow",
    "TeamRow",
    "TokenRow",
    "UncertaintyRow",
    "UploadFileRow",
    "UploadRow",
    "UploadUseRow",
    "UserRow",
    "WorkerRow",
]

"""The tables of what people ask through the door: uploads, tasks, readings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, SmallInteger, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigId


class UploadRow(Base):
    """Files that somebody brings; they lie under ``uploads/{id}/`` in the store."""

    __tablename__ = "uploads"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    #: Whose members may submit it; NULL: its user alone.
    team_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[int] = mapped_column(BigInteger)
    #: It is cleared away then, unless a batch was made of it.
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)
    #: Its files that are whole, and their bytes: changed with their rows, in one transaction.
    files: Mapped[int] = mapped_column(Integer, server_default="0")
    size: Mapped[int] = mapped_column(BigInteger, server_default="0")


class UploadFileRow(Base):
    """One file of an upload: whole in the store once ``size`` is set."""

    __tablename__ = "upload_files"

    upload_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: Its path under the upload, as the key in the store has it.
    name: Mapped[str] = mapped_column(primary_key=True)
    #: Bytes; NULL while parts of it are missing.
    size: Mapped[int | None] = mapped_column(BigInteger)
    #: As hex digits; NULL while parts of it are missing.
    sha256: Mapped[str | None]


class UploadUseRow(Base):
    """A batch whose images lie in an upload, which therefore stays."""

    __tablename__ = "upload_uses"

    upload_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("uploads.id"), primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, index=True)


class KeptRow(Base):
    """A prediction that somebody keeps: the job of a scratch batch, and the one that it became."""

    __tablename__ = "kept"

    from_batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    from_seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, index=True)
    seq: Mapped[int] = mapped_column(Integer)


class TaskRow(Base):
    """Something that takes longer than a request: the clerk's. The row is the truth."""

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: ``maskpool.tasks.TaskKind``
    kind: Mapped[str]
    #: NULL: the pool's own, as sweeping is.
    user_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    team_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("teams.id"))
    #: What it works on, where that is a batch.
    batch_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    args: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: ``maskpool.tasks.TaskState``
    state: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: Of whoever has it now; what comes with another one is refused.
    lease_id: Mapped[UUID | None] = mapped_column(Uuid)
    #: Only RUNNING tasks have one.
    lease_until: Mapped[int | None] = mapped_column(BigInteger)
    #: How often it was taken.
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: Not before; set where it is tried again.
    next_at: Mapped[int | None] = mapped_column(BigInteger)
    published_at: Mapped[int | None] = mapped_column(BigInteger)
    #: How far it is, by its kind's own words: ``{"done": 500, "total": 2000}``.
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[str | None]
    #: ``error`` as a code and parameters, and the sentence itself: ``db.task_problems.Why``. Code
    #: of the schema before writes ``error`` alone, and then this is of another one.
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[int] = mapped_column(BigInteger)
    finished_at: Mapped[int | None] = mapped_column(BigInteger)
    #: Its row and what it made are cleared away then.
    expires_at: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        # The dispatcher reads only these few.
        Index(
            "ix_tasks_open",
            "state",
            postgresql_where=text("state IN (0, 1)"),
            sqlite_where=text("state IN (0, 1)"),
        ),
    )


class ReadingChangeRow(Base):
    """One version of how a batch is read: who said so, and when."""

    __tablename__ = "reading_changes"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: From 1; a batch that was never read in another way has none.
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    #: ``maskpool.reading.Reading.dump()``
    reading: Mapped[dict[str, Any]] = mapped_column(JSON)
    user_id: Mapped[int | None] = mapped_column(BigId)
    at: Mapped[int] = mapped_column(BigInteger)

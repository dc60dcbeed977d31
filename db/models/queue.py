"""The tables of the queue: batches, jobs, chunks, instances, and who works on them.

Jobs and instances carry no foreign key: a check for each of a million rows costs more than it
protects, and both are only ever written through their batch's functions.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigId, Real, Seqs


class BatchRow(Base):
    """One submission."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    owner_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"))
    idempotency_key: Mapped[str]
    name: Mapped[str]
    #: ``maskpool.domain.BatchState``
    state: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: ``maskpool.domain.Klass``
    klass: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    #: ``maskpool.domain.Priority``
    priority: Mapped[str] = mapped_column(server_default="normal")
    model: Mapped[str]
    #: ``maskpool.spec.BatchSpec.dump()``
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: ``maskpool.reading.Reading.dump()``; NULL: as the spec's own settings say.
    reading: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: What was submitted, as its owner wrote it; for people, never opened again.
    source: Mapped[str] = mapped_column(server_default="")
    #: ``maskpool.sample.Sample.dump()``; NULL: a batch of all images of its source.
    sample: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    total: Mapped[int] = mapped_column(server_default="0")
    #: Jobs written so far; the compare-and-set that orders two submitters of one key.
    loaded: Mapped[int] = mapped_column(server_default="0")
    #: First job that was never claimed.
    next_seq: Mapped[int] = mapped_column(server_default="0")
    done: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    gpu_seconds: Mapped[float] = mapped_column(server_default="0")
    #: As the owner's, among the owner's own batches, with the priority as weight.
    virtual_time: Mapped[float] = mapped_column(server_default="0")
    created_at: Mapped[int] = mapped_column(BigInteger)
    finished_at: Mapped[int | None] = mapped_column(BigInteger)
    #: Whose members see it; NULL: its owner and the pool's admins alone.
    team_id: Mapped[UUID | None] = mapped_column(Uuid)
    #: Holds the single images of ``predict``: lists leave it out.
    scratch: Mapped[bool] = mapped_column(server_default=false())
    #: When somebody deleted it: from then on nobody sees it, and the clerk clears it away.
    deleted_at: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("owner_id", "idempotency_key"),
        # The dispatcher reads only these few of all batches ever submitted.
        Index(
            "ix_batches_live",
            "state",
            postgresql_where=text("state IN (1, 2)"),
            sqlite_where=text("state IN (1, 2)"),
        ),
        # Those that ended a moment ago are told to whoever listens.
        Index("ix_batches_finished_at", "finished_at"),
        CheckConstraint("done >= 0 AND failed >= 0 AND done + failed <= total", name="counters"),
        CheckConstraint("next_seq <= total OR state = 0", name="next_seq"),
    )


class JobRow(Base):
    """One image. Written when it ends, when it comes back and when it is claimed again."""

    __tablename__ = "jobs"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str]
    image_uri: Mapped[str]
    #: ``maskpool.asks.ImageAsks.dump()``: what this image is asked beside the spec; mostly NULL.
    prompts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: ``maskpool.domain.JobState``
    state: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: NULL except in RETRY.
    next_at: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    losses: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: Was in a chunk whose worker was lost: claimed alone from now on.
    solo: Mapped[bool] = mapped_column(server_default=false())
    #: ``{chunk}-{sha}``; ``storage.objects.keys`` builds the rest.
    masks_key: Mapped[str | None]
    masks_offset: Mapped[int | None] = mapped_column(Integer)
    masks_length: Mapped[int | None] = mapped_column(Integer)
    #: Pixels, after EXIF orientation.
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    #: Stored instances, at the floor of scores.
    n_instances: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]

    __table_args__ = (
        # The only secondary index, and no state in its predicate: either would end HOT updates.
        Index(
            "ix_jobs_due",
            "batch_id",
            "next_at",
            postgresql_where=text("next_at IS NOT NULL"),
            sqlite_where=text("next_at IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": 50}, "sqlite_with_rowid": False},
    )


class ChunkRow(Base):
    """Up to 64 jobs of one batch, leased to one worker. Folded and deleted once closed."""

    __tablename__ = "chunks"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("batches.id"), index=True)
    #: The jobs: ``lo <= seq < hi``, or the list in ``seqs``.
    lo: Mapped[int] = mapped_column(server_default="0")
    hi: Mapped[int] = mapped_column(server_default="0")
    seqs: Mapped[list[int] | None] = mapped_column(Seqs)
    size: Mapped[int] = mapped_column(SmallInteger)
    solo: Mapped[bool] = mapped_column(server_default=false())
    #: ``maskpool.domain.ChunkState``
    state: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    worker: Mapped[UUID | None] = mapped_column(Uuid)
    #: Only RUNNING chunks have one.
    lease_until: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[int] = mapped_column(BigInteger)
    published_at: Mapped[int | None] = mapped_column(BigInteger)
    publishes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    done: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    failed: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    gpu_seconds: Mapped[float] = mapped_column(server_default="0")
    #: GPU-seconds charged to owner and batch at the claim; corrected when folded.
    charged: Mapped[float] = mapped_column(server_default="0")


class InstanceRow(Base):
    """One mask without its pixels: its RLE lies in the chunk's object."""

    __tablename__ = "instances"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    prompt_index: Mapped[int] = mapped_column(SmallInteger)
    #: Tight box of the mask, xywh in absolute pixels.
    x: Mapped[int]
    y: Mapped[int]
    w: Mapped[int]
    h: Mapped[int]
    #: Pixels.
    area: Mapped[int]
    score: Mapped[float] = mapped_column(Real)
    #: Largest mask IoU with a higher-scoring instance of the same prompt.
    overlap: Mapped[float] = mapped_column(Real)
    clip_score: Mapped[float | None] = mapped_column(Real)
    verdict: Mapped[int | None] = mapped_column(SmallInteger)
    #: How strongly a negative text of its prompt explains it, in [0, 1]; NULL: nothing does.
    against: Mapped[float | None] = mapped_column(Real)
    #: Largest mask IoU with a better instance of another prompt; NULL below 0.5.
    contended: Mapped[float | None] = mapped_column(Real)
    #: That instance's ordinal.
    contender: Mapped[int | None] = mapped_column(SmallInteger)
    #: Which of the job's objects it is the mask of, from 0; NULL where a prompt found it.
    object_index: Mapped[int | None] = mapped_column(SmallInteger)
    #: The model's own guess of an object's mask, in [0, 1].
    predicted_iou: Mapped[float | None] = mapped_column(Real)

    __table_args__ = ({"sqlite_with_rowid": False},)


class WorkerRow(Base):
    """One worker process since its start."""

    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: ``host:pid``, for people.
    name: Mapped[str] = mapped_column(server_default="")
    seen_at: Mapped[int] = mapped_column(BigInteger)
    device: Mapped[str] = mapped_column(server_default="")
    model: Mapped[str]
    #: Chunks it can hold at once.
    threads: Mapped[int] = mapped_column(SmallInteger, server_default="3")
    #: NULL until it has measured itself.
    images_per_s: Mapped[float | None]
    #: ``maskpool.abilities.Ability`` words, separated by blanks; older workers announce none.
    abilities: Mapped[str] = mapped_column(server_default="")


class ServiceRow(Base):
    """One dispatcher or clerk since its start. Workers have a table of their own."""

    __tablename__ = "services"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: ``dispatcher`` or ``clerk``.
    kind: Mapped[str]
    #: ``host:pid``, for people.
    name: Mapped[str] = mapped_column(server_default="")
    started_at: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[int] = mapped_column(BigInteger)

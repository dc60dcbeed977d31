"""The tables of what was counted in a batch once it ended: derived, and made anew at any time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, Float, Integer, LargeBinary, SmallInteger, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class CountRow(Base):
    """What the counts of a batch are of; they hold only while all of it is so still."""

    __tablename__ = "batch_counts"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: How often somebody began to count; each time is a version of its own.
    begun: Mapped[int] = mapped_column(Integer, server_default="0")
    #: The version whose rows count; NULL: none is whole yet.
    version: Mapped[int | None] = mapped_column(Integer)
    #: The batch's ``finished_at`` when it was counted.
    finished_at: Mapped[int | None] = mapped_column(BigInteger)
    #: ``maskpool.histogram.digest_of`` the rule without thresholds.
    rule: Mapped[str] = mapped_column(server_default="")
    #: ``maskpool.histogram.digest_of_thresholds``: what uncertainties are distances to.
    thresholds: Mapped[str] = mapped_column(server_default="")
    #: Images that are DONE.
    images: Mapped[int] = mapped_column(server_default="0")
    #: The version whose blocks of scores are whole; they are read where it is ``version``.
    blocks_version: Mapped[int | None] = mapped_column(Integer)


class ScoreCountRow(Base):
    """One bar of the histogram: what has a score of so many hundredths, and not one more."""

    __tablename__ = "score_counts"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: ``maskpool.histogram.ANY``: of all prompts together.
    prompt_index: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    hundredth: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    #: Whose best instance is there.
    images: Mapped[int]
    instances: Mapped[int]

    __table_args__ = ({"sqlite_with_rowid": False},)


class UncertaintyRow(Base):
    """How near the nearest score of an image lies to its threshold; the key is the order."""

    __tablename__ = "uncertainties"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    distance: Mapped[float] = mapped_column(Float, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)

    __table_args__ = ({"sqlite_with_rowid": False},)


class ScoreBlockRow(Base):
    """The scores of a block of images, for lists of them: ``maskpool.score_block``."""

    __tablename__ = "score_blocks"

    batch_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    #: Of the first image; the others follow it.
    first_seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)

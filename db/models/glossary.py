"""The tables of the words that people add to the glossary."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, Integer, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigId


class GlossaryRow(Base):
    """How often one list of words was changed; its lock lets changes follow each other."""

    __tablename__ = "glossaries"

    #: The team's id; the nil UUID is the whole pool's.
    scope: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    version: Mapped[int] = mapped_column(Integer)


class GlossaryWordRow(Base):
    """One word as one change left it; rows only come, so that each version can be read again."""

    __tablename__ = "glossary_words"

    scope: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    #: The word in the form that is compared (``maskpool.glossary.chinese.plain``).
    key: Mapped[str] = mapped_column(primary_key=True)
    #: ``maskpool.glossary.Kind``.
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: Of its list, from which on it is so.
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    #: As it was written.
    word: Mapped[str]
    #: NULL: it was taken out.
    english: Mapped[str | None]
    user_id: Mapped[int | None] = mapped_column(BigId)
    #: Their name then.
    user_name: Mapped[str] = mapped_column(server_default="")
    at: Mapped[int] = mapped_column(BigInteger)

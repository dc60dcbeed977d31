"""What every table shares: names of constraints, and types that both databases have."""

from __future__ import annotations

from sqlalchemy import ARRAY, JSON, BigInteger, Integer, MetaData
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import Float

BigId = BigInteger().with_variant(Integer, "sqlite")
Seqs = ARRAY(Integer).with_variant(JSON(none_as_null=True), "sqlite")
Real = Float().with_variant(REAL(), "postgresql")


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can name it too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

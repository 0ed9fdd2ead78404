"""What the declarations of tables share: their metadata and the common kinds of columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData
from sqlalchemy.dialects.postgresql import TIMESTAMP

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def key(name: str, kind: Any) -> Column[Any]:
    """Return a column of the primary key."""
    return Column(name, kind, primary_key=True, nullable=False)


def required(name: str, kind: Any) -> Column[Any]:
    """Return a column that always has a value."""
    return Column(name, kind, nullable=False)


def instant(name: str, *, key: bool = False, nullable: bool = False) -> Column[Any]:
    """Return a column of moments."""
    return Column(name, TIMESTAMP(timezone=True), primary_key=key, nullable=nullable)

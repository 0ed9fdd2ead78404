"""Versioned upsert: what was never seen is inserted, what differs becomes a new revision, the rest stays.

A revision is known only from the moment it arrives, so it gets its own, later ``available_at``; what the earlier
rows said at their time can always be read back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from trading_lib.adapters.stores.postgres.bulk_copy import Columns, Kind, copy_in
from trading_lib.domain.errors import InputError

INGEST_LOCK = "ingest"


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What an upsert did: rows never seen before, rows that revise an earlier one, rows that were there already."""

    inserted: int
    revised: int
    unchanged: int

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        return UpsertCounts(
            self.inserted + other.inserted, self.revised + other.revised, self.unchanged + other.unchanged
        )


@dataclass(frozen=True, slots=True)
class VersionedTable:
    """A table keyed by ``key`` and ``available_at``; ``numbers`` and ``texts`` are what a revision may change."""

    name: str
    key: tuple[str, ...]
    kinds: dict[str, Kind]
    numbers: tuple[str, ...]
    texts: tuple[str, ...] = ()


def lock_key(*parts: str) -> int:
    """Advisory lock key (signed 64 bits) of a name."""
    digest = hashlib.sha256("\x00".join(("trading", *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def upsert_versions(connection: Connection, table: VersionedTable, columns: Columns, now: datetime) -> UpsertCounts:
    """Merge rows into ``table``; each source is written by one transaction at a time.

    Parameters
    ----------
    columns
        Arrays for ``table.kinds``; (key) must be unique, else `InputError`.
    now
        Timezone-aware; ``available_at`` of revisions, unless the row they revise became known later.
    """
    rows = len(next(iter(columns.values())))
    if not rows:
        return UpsertCounts(0, 0, 0)
    _refuse_duplicates(table, columns)
    _lock_sources(connection, columns)
    incoming = f"incoming_{table.name}"
    copy_in(connection, incoming, table.kinds, columns)
    revised = connection.execute(text(_revise(table, incoming)), {"now": now}).rowcount
    inserted = connection.execute(text(_insert(table, incoming)), {"now": now}).rowcount
    connection.exec_driver_sql(f"DROP TABLE {incoming}")
    return UpsertCounts(inserted, revised, rows - inserted - revised)


def upsert_vintages(connection: Connection, table: VersionedTable, columns: Columns, now: datetime) -> UpsertCounts:
    """Merge rows whose source says itself when each revision came out; they keep their own ``available_at``.

    A key comes once per revision. A revision that differs from what was known at its time is stored with that time,
    even if it arrives years later. What a source says differently about a time it has spoken of before never changes
    what was stored; if it concerns the newest revision, it becomes one of its own from ``now`` on.

    Parameters
    ----------
    columns
        Arrays for ``table.kinds``; (key, ``available_at``) must be unique, else `InputError`.
    """
    rows = len(next(iter(columns.values())))
    if not rows:
        return UpsertCounts(0, 0, 0)
    _refuse_duplicates(table, columns, ("available_at",))
    _lock_sources(connection, columns)
    keys = pd.DataFrame({name: columns[name] for name in (*table.key, "available_at")})
    order = keys.sort_values("available_at", kind="stable").groupby(list(table.key), sort=False).cumcount()
    rank = order.sort_index().to_numpy(dtype=np.int32)
    incoming = f"incoming_{table.name}"
    copy_in(connection, incoming, {**table.kinds, "rank": Kind.INTEGER}, {**columns, "rank": rank})
    inserted = revised = 0
    # One revision of each key at a time, so that each is compared with the one before it.
    for number in range(int(rank.max()) + 1):
        parameters = {"rank": number, "now": now}
        revised += connection.execute(text(_rewritten(table, incoming)), parameters).rowcount
        revised += connection.execute(text(_later_vintage(table, incoming)), parameters).rowcount
        inserted += connection.execute(text(_insert(table, incoming) + " AND i.rank = :rank"), parameters).rowcount
    connection.exec_driver_sql(f"DROP TABLE {incoming}")
    return UpsertCounts(inserted, revised, rows - inserted - revised)


def has_vintages(connection: Connection, table: VersionedTable, columns: Columns) -> bool:
    """Whether rows come with their revisions, now or when the same sources delivered before."""
    keys = pd.DataFrame({name: columns[name] for name in table.key})
    if keys.duplicated().any():
        return True
    stored = text(f"""
        SELECT EXISTS (
            SELECT 1 FROM {table.name} WHERE source = ANY(:sources) AND available_at < ingested_at
            GROUP BY {", ".join(table.key)} HAVING count(*) > 1)
    """)  # noqa: S608 - names of our own tables only
    return bool(connection.execute(stored, {"sources": sorted(set(columns["source"]))}).scalar())


def incoming_value(column: str) -> str:
    """Return the SQL of a number in the temporary table ``i``, where NaN stands for NULL."""
    return f"NULLIF(i.{column}, 'NaN')"


def _values(table: VersionedTable) -> list[str]:
    return [incoming_value(name) for name in table.numbers] + [f"i.{name}" for name in table.texts]


def _target(table: VersionedTable) -> str:
    names: Sequence[str] = (*table.key, *table.numbers, *table.texts, "available_at", "ingested_at")
    return f"INSERT INTO {table.name} ({', '.join(names)})"


def _same_key(table: VersionedTable) -> str:
    return " AND ".join(f"stored.{name} = i.{name}" for name in table.key)


def _revise(table: VersionedTable, incoming: str) -> str:
    stored = ", ".join(f"newest.{name}" for name in (*table.numbers, *table.texts))
    arriving = ", ".join(_values(table))
    return f"""
        {_target(table)}
        SELECT {", ".join(f"i.{name}" for name in table.key)}, {arriving},
            greatest(:now, newest.available_at + interval '1 microsecond'), :now
        FROM {incoming} i
        CROSS JOIN LATERAL (
            SELECT * FROM {table.name} stored WHERE {_same_key(table)} ORDER BY stored.available_at DESC LIMIT 1
        ) newest
        WHERE ({stored}) IS DISTINCT FROM ({arriving})
    """  # noqa: S608 - names of our own tables only


def _insert(table: VersionedTable, incoming: str) -> str:
    return f"""
        {_target(table)}
        SELECT {", ".join(f"i.{name}" for name in table.key)}, {", ".join(_values(table))}, i.available_at, :now
        FROM {incoming} i
        WHERE NOT EXISTS (SELECT 1 FROM {table.name} stored WHERE {_same_key(table)})
    """  # noqa: S608 - names of our own tables only


def _in_effect(table: VersionedTable, incoming: str) -> str:
    """Return the FROM clause that joins rows of one rank with what is stored as known at their time."""
    return f"""
        FROM {incoming} i
        CROSS JOIN LATERAL (
            SELECT * FROM {table.name} stored
            WHERE {_same_key(table)} AND stored.available_at <= i.available_at
            ORDER BY stored.available_at DESC LIMIT 1
        ) known
    """  # noqa: S608 - names of our own tables only


def _differs(table: VersionedTable, alias: str) -> str:
    stored = ", ".join(f"{alias}.{name}" for name in (*table.numbers, *table.texts))
    return f"({stored}) IS DISTINCT FROM ({', '.join(_values(table))})"


def _later_vintage(table: VersionedTable, incoming: str) -> str:
    chosen = ", ".join([*(f"i.{name}" for name in table.key), *_values(table)])
    # Also one from before everything that is stored: it was known then.
    return f"""
        {_target(table)}
        SELECT {chosen}, i.available_at, :now {_in_effect(table, incoming)}
        WHERE i.rank = :rank AND known.available_at < i.available_at AND {_differs(table, "known")}
        UNION ALL
        SELECT {chosen}, i.available_at, :now FROM {incoming} i
        WHERE i.rank = :rank
            AND EXISTS (SELECT 1 FROM {table.name} stored WHERE {_same_key(table)})
            AND NOT EXISTS (
                SELECT 1 FROM {table.name} stored
                WHERE {_same_key(table)} AND stored.available_at <= i.available_at)
    """  # noqa: S608 - names of our own tables only


def _rewritten(table: VersionedTable, incoming: str) -> str:
    chosen = ", ".join([*(f"i.{name}" for name in table.key), *_values(table)])
    same = " AND ".join(f"later.{name} = i.{name}" for name in table.key)
    # A row known from its ingestion on is one that this statement wrote; one known earlier is a vintage of the source.
    return f"""
        {_target(table)}
        SELECT {chosen}, greatest(:now, newest.available_at + interval '1 microsecond'), :now
        {_in_effect(table, incoming)}
        CROSS JOIN LATERAL (
            SELECT * FROM {table.name} stored WHERE {_same_key(table)} ORDER BY stored.available_at DESC LIMIT 1
        ) newest
        WHERE i.rank = :rank AND known.available_at = i.available_at AND {_differs(table, "newest")}
            AND NOT EXISTS (
                SELECT 1 FROM {table.name} stored
                WHERE {_same_key(table)} AND stored.available_at > i.available_at
                    AND stored.available_at < stored.ingested_at)
            AND NOT EXISTS (SELECT 1 FROM {incoming} later WHERE {same} AND later.rank > i.rank)
    """  # noqa: S608 - names of our own tables only


def _lock_sources(connection: Connection, columns: Columns) -> None:
    for source in sorted(set(columns["source"])):
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(INGEST_LOCK, source)})


def _refuse_duplicates(table: VersionedTable, columns: Columns, also: Sequence[str] = ()) -> None:
    keys = pd.DataFrame({name: columns[name] for name in (*table.key, *also)})
    repeated = np.flatnonzero(keys.duplicated().to_numpy())
    if len(repeated):
        named = ", ".join(str(columns[name][repeated[0]]) for name in (*table.key, *also))
        raise InputError(f"two {table.name} rows have the same key ({named})", "deliver each once; validate first")

"""The rows of two trading databases, compared: everything but the moments at which they were written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.schema import metadata

# What vendors answered, how often they were asked, and what a run of Airflow did: they tell of the interruptions.
ABOUT_THE_RUNS = ("runs", "source_status", "raw_responses", "ingestions")
# When something is true, not when it was written.
COMPARED_INSTANTS = ("available_at", "settled_at", "filled_at", "retrieved_at")


def differing_tables(one: Engine, other: Engine) -> tuple[list[str], dict[str, int]]:
    """Return the tables whose rows differ, and table -> number of rows of those that are equal."""
    differing, equal = [], {}
    for table in metadata.sorted_tables:
        if table.name in ABOUT_THE_RUNS:
            continue
        rows, others = _rows(one, table), _rows(other, table)
        if rows != others:
            differing.append(f"{table.name}: {len(set(rows) ^ set(others))} rows of {len(rows)} and {len(others)}")
        elif rows:
            equal[table.name] = len(rows)
    return differing, equal


def _rows(engine: Engine, table: Any) -> list[str]:
    columns = [
        column
        for column in table.columns
        if not column.name.endswith("_at") or column.name in COMPARED_INSTANTS
        if column.name != "at"
    ]
    with engine.connect() as connection:
        return sorted(repr(tuple(row)) for row in connection.execute(select(*columns)))

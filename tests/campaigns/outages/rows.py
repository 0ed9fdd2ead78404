"""The rows that a book's sessions left in two trading databases, compared but for the moments they were written at."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Date, Engine, Select, Table, select

from trading_lib.adapters.stores.postgres.schema import metadata, order_intents

# What vendors answered and how often they were asked, alerts and backups: they tell of the interruptions.
ABOUT_THE_RUNS = (
    *("source_status", "raw_responses", "ingestions"),
    *("alerts", "alert_pictures", "alert_deliveries", "backups", "restore_drills"),
)
# When something is true, not when it was written.
COMPARED_INSTANTS = ("available_at", "settled_at", "filled_at")


def differing_tables(one: Engine, other: Engine, book: str, last: date) -> tuple[list[str], dict[str, int]]:
    """Return the tables whose rows differ, and table -> number of rows of those that are equal.

    Rows of other books and of later sessions are left out: Airflow's schedule may have run the newest session.
    """
    differing, equal = [], {}
    for table in metadata.sorted_tables:
        if table.name in ABOUT_THE_RUNS:
            continue
        rows, others = (_rows(engine, _question(table, book, last)) for engine in (one, other))
        if rows != others:
            shown = sorted(set(rows) ^ set(others))[:2]
            differing.append(f"{table.name}: {len(rows)} and {len(others)} rows, e.g. {' | '.join(shown)[:400]}")
        elif rows:
            equal[table.name] = len(rows)
    return differing, equal


def _question(table: Table, book: str, last: date) -> Select[Any]:
    compared = [
        column
        for column in table.columns
        if column.name in COMPARED_INSTANTS or not (column.name == "at" or column.name.endswith("_at"))
    ]
    question = select(*compared)
    if "book" in table.columns:
        question = question.where(table.columns["book"] == book)
    elif "client_order_id" in table.columns:
        own = select(order_intents.c.client_order_id).where(order_intents.c.book == book)
        question = question.where(table.columns["client_order_id"].in_(own))
    elif table.name == "books":
        question = question.where(table.columns["name"] == book)
    for column in table.columns:
        if isinstance(column.type, Date) and column.name in ("session", "observed", "report_date"):
            question = question.where(column <= last)
    return question


def _rows(engine: Engine, question: Select[Any]) -> list[str]:
    with engine.connect() as connection:
        return sorted(repr(tuple(row)) for row in connection.execute(question))

"""The state of a book as a few small files: what a person or a program needs to go on from, without a database."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, text

from trading_lib.adapters.backups.content import audit_head, content_tables, schema_revision
from trading_lib.domain.book.orders import OPEN_STATUSES

# Newest rows of a book, whole histories, and what is still under way; :book is its name.
NEWEST = "= (SELECT max(session) FROM {table} WHERE book = :book)"
SELECTIONS = {
    "books": "WHERE name = :book",
    "portfolio_state": f"WHERE book = :book AND session {NEWEST}",
    "account_state": f"WHERE book = :book AND session {NEWEST}",
    "account_cursors": "WHERE book = :book",
    "risk_state": f"WHERE book = :book AND session {NEWEST}",
    "risk_events": "WHERE book = :book AND resolved_session IS NULL",
    "trade_history": "WHERE book = :book",
    "signal_log": f"WHERE book = :book AND session {NEWEST}",
    "decisions": f"WHERE book = :book AND session {NEWEST}",
    "orders": "WHERE book = :book AND status IN ({open})",
    "order_intents": (
        "WHERE book = :book AND (session = (SELECT max(session) FROM order_intents WHERE book = :book)"
        " OR client_order_id IN (SELECT client_order_id FROM orders WHERE book = :book AND status IN ({open})))"
    ),
    "capital_flows": "WHERE book = :book",
    "approvals": "WHERE book = :book",
}


def write_book_state(connection: Connection, books: Iterable[str], folder: Path) -> dict[str, int]:
    """Write one file of JSON lines for each table, with the rows of ``books``; return how many rows each has.

    Numbers are written as PostgreSQL writes them, so none loses a digit.
    """
    open_statuses = ", ".join(f"'{status.value}'" for status in OPEN_STATUSES)
    names, rows = list(books), {}
    for table, selection in SELECTIONS.items():
        where = selection.format(table=table, open=open_statuses)
        query = text(
            f'SELECT to_jsonb("whole row")::text FROM public.{table} AS "whole row" {_qualified(where)} ORDER BY 1'  # noqa: S608
        )
        count = 0
        with (folder / f"{table}.jsonl").open("w", encoding="utf-8") as file:
            for book in names:
                for line in connection.execute(query, {"book": book}).scalars():
                    file.write(f"{line}\n")
                    count += 1
        rows[table] = count
    return rows


def book_names(connection: Connection) -> list[str]:
    """Names of all books."""
    return [str(name) for name in connection.execute(text("SELECT name FROM public.books ORDER BY 1")).scalars()]


def revision_and_head(connection: Connection) -> tuple[str, str]:
    """Return schema revision and audit head of what ``connection`` sees."""
    tables = content_tables(connection)
    return schema_revision(connection, tables), audit_head(connection, tables)


def _qualified(where: str) -> str:
    # The session of a snapshot finds no table by its name alone.
    return where.replace("FROM ", "FROM public.")

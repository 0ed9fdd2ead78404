"""Rows that are written once: the same content again changes nothing, other content is a conflict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg2.errors import ForeignKeyViolation
from sqlalchemy import Connection, Engine, Row, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from trading_lib.adapters.stores.postgres.json_codec import content_hash
from trading_lib.domain.errors import DecisionConflictError, InputError

Values = Mapping[str, Any]


@contextmanager
def writing(engine: Engine, book: str) -> Iterator[Connection]:
    """Open one transaction for a book; a book that does not exist is an `InputError`."""
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation) and "(book)" in str(error.orig):
            raise InputError(f"there is no book {book!r}", "open it first") from error
        raise


def insert_once(connection: Connection, table: Table, row: Values, ignoring: Sequence[str] = ()) -> bool:
    """Insert a row; True when it is new, False when a row with this key and content is there.

    Parameters
    ----------
    ignoring
        Columns that may differ, such as the time of writing.

    Raises
    ------
    DecisionConflictError
        When the stored row differs; names book, session, table and column.
    """
    inserted = connection.execute(insert(table).values(dict(row)).on_conflict_do_nothing().returning(*_key(table)))
    if inserted.first() is not None:
        return True
    key = [column == row[column.name] for column in _key(table)]
    refuse_other_content(table, row, connection.execute(select(table).where(*key)).one(), ignoring)
    return False


def insert_group(connection: Connection, table: Table, scope: Values, rows: Sequence[Values]) -> bool:
    """Insert the rows of one group (say, the signals of a session), all of them or none.

    Parameters
    ----------
    scope
        Columns that name the group; stored rows of it must equal ``rows``.
    """
    if rows:
        statement = insert(table).on_conflict_do_nothing().returning(*_key(table))
        inserted = len(connection.execute(statement, [dict(row) for row in rows]).all())
    else:
        inserted = 0
    compare_group(connection, table, scope, rows)
    if 0 < inserted < len(rows):
        raise _conflict(table, scope, "the number of rows")
    return inserted > 0


def compare_group(connection: Connection, table: Table, scope: Values, rows: Sequence[Values]) -> None:
    """Raise `DecisionConflictError` unless the stored rows of the group are exactly ``rows``."""
    where = [table.c[name] == value for name, value in scope.items()]
    names = [column.name for column in _key(table)]
    stored = {_identity(row._mapping, names): row for row in connection.execute(select(table).where(*where))}
    given = {_identity(row, names): row for row in rows}
    if set(stored) != set(given):
        raise _conflict(table, scope, "the set of rows")
    for identity, row in given.items():
        refuse_other_content(table, row, stored[identity])


def refuse_other_content(table: Table, row: Values, stored: Row[Any], ignoring: Sequence[str] = ()) -> None:
    """Raise `DecisionConflictError` when a column of ``row`` differs from the stored one."""
    for name, value in row.items():
        if name not in ignoring and not _same(stored._mapping[name], value):
            raise _conflict(table, {**stored._mapping, **row}, name)


def _key(table: Table) -> list[Any]:
    return list(table.primary_key.columns)


def _identity(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _same(stored: Any, given: Any) -> bool:
    if isinstance(given, (dict, list)):
        return content_hash(stored) == content_hash(given)
    return bool(stored == given)


def _conflict(table: Table, row: Values, what: str) -> DecisionConflictError:
    named = [f"book {row['book']!r}", f"session {row['session']}"] if "session" in row else [f"book {row['book']!r}"]
    named += [f"order {row['client_order_id']}"] if "client_order_id" in row else []
    named += [f"stage {row['stage']!r}"] if "stage" in row else []
    return DecisionConflictError(
        f"{table.name} of {', '.join(named)} is stored already and differs in {what}",
        "the stored one stands; use another book to decide again with other inputs",
    )

"""Recorded proceeds of books. Rows are only added; `domain.proceeds.in_force` says which of them count."""

from __future__ import annotations

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import recorded_proceeds as table
from trading_lib.domain.book.proceeds import Proceeds, RecordedProceeds
from trading_lib.domain.market.sessions import require_aware


class ProceedsStore:
    """The table ``recorded_proceeds``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, record: RecordedProceeds) -> None:
        """Add a record; an unknown book is an `InputError`."""
        stated = record.proceeds
        row = {
            "book": record.book,
            "symbol": stated.symbol,
            "session": stated.session,
            "recorded_at": require_aware(record.recorded_at, "recorded_at"),
            "books_on": record.books_on,
            "settled": record.settled,
            "amount_per_share": stated.amount_per_share,
            "recorded_by": record.recorded_by,
            "note": stated.note,
        }
        with writing(self._engine, record.book) as connection:
            insert_once(connection, table, row)

    def history(self, book: str) -> list[RecordedProceeds]:
        """Every record of a book, the oldest first."""
        query = select(table).where(table.c.book == book).order_by(table.c.recorded_at, table.c.symbol)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            RecordedProceeds(
                book=row.book,
                proceeds=Proceeds(row.symbol, row.session, row.amount_per_share, row.note),
                books_on=row.books_on,
                settled=row.settled,
                recorded_by=row.recorded_by,
                recorded_at=require_aware(row.recorded_at, "recorded_at"),
            )
            for row in rows
        ]

"""Flows of capital of books. Rows are only added; the same reference again is the same flow."""

from __future__ import annotations

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import capital_flows as table
from trading_lib.domain.book.flows import Flow, RecordedFlow
from trading_lib.domain.market.sessions import require_aware


class FlowStore:
    """The table ``capital_flows``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, record: RecordedFlow) -> bool:
        """Add a record; False when the same flow is stored already, whoever recorded it.

        Raises
        ------
        DecisionConflictError
            When another flow has this reference.
        """
        flow = record.flow
        row = {
            "book": record.book,
            "reference": record.reference,
            "kind": str(flow.kind),
            "session": flow.session,
            "amount": flow.amount,
            "source_account": flow.source,
            "target_account": flow.target,
            "recorded_by": record.recorded_by,
            "note": record.note,
            "recorded_at": require_aware(record.recorded_at, "recorded_at"),
        }
        with writing(self._engine, record.book) as connection:
            return insert_once(connection, table, row, ignoring=("recorded_by", "note", "recorded_at"))

    def history(self, book: str) -> list[RecordedFlow]:
        """Every flow of a book, by session and then as they were recorded."""
        query = select(table).where(table.c.book == book)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.session, table.c.recorded_at, table.c.reference)).all()
        return [
            RecordedFlow(
                book=row.book,
                reference=row.reference,
                flow=Flow(row.session, row.amount, row.source_account, row.target_account),
                recorded_by=row.recorded_by,
                note=row.note,
                recorded_at=require_aware(row.recorded_at, "recorded_at"),
            )
            for row in rows
        ]

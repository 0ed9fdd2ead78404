"""The cursor of each account of a book, up to which its fills have been read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.schema import account_cursors
from trading_lib.domain.market.sessions import require_aware


class AccountStore:
    """The cursors of every book's accounts in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cursors(self, book: str) -> dict[str, str]:
        """Account -> cursor; an account whose fills have never been asked for is absent."""
        table = account_cursors
        with self._engine.connect() as connection:
            rows = connection.execute(select(table.c.account, table.c.cursor).where(table.c.book == book)).all()
        return {row.account: row.cursor for row in rows}

    def save_cursors(self, book: str, cursors: Mapping[str, str], now: datetime) -> None:
        """Store the cursors of a book's accounts in place of those before."""
        moment = require_aware(now, "now")
        rows = [
            {"book": book, "account": account, "cursor": cursor, "updated_at": moment}
            for account, cursor in sorted(cursors.items())
        ]
        if not rows:
            return
        statement = insert(account_cursors).values(rows)
        new = {"cursor": statement.excluded.cursor, "updated_at": statement.excluded.updated_at}
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["book", "account"], set_=new))

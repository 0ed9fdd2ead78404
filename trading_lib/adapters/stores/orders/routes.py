"""To which account an order was routed, where that is not the one of its asset class."""

from __future__ import annotations

from sqlalchemy import Engine, select, update

from trading_lib.adapters.stores.postgres.schema import orders as table
from trading_lib.domain.book.orders import OrderStatus


class OrderRoutes:
    """The column ``orders.account``; whoever sends an order stores it, too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def account(self, client_order_id: str) -> str | None:
        """Return the account of an order; None where none was stored."""
        query = select(table.c.account).where(table.c.client_order_id == client_order_id)
        with self._engine.connect() as connection:
            account: str | None = connection.execute(query).scalar_one_or_none()
        return account

    def route(self, client_order_id: str, account: str) -> bool:
        """Route an order to an account; only while nothing of it was ever sent. Returns whether that is so."""
        never_sent = (table.c.status == str(OrderStatus.INTENDED)) & (table.c.attempts == 0)
        found = (table.c.client_order_id == client_order_id) & never_sent
        with self._engine.begin() as connection:
            changed = connection.execute(update(table).where(found).values(account=account))
            return bool(changed.rowcount)

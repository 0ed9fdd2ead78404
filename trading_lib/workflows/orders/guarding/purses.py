"""What purchases of a session may still cost at each account, and what is open already, for the pre-trade checks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading_lib.domain.book.orders import OPEN_STATUSES, Order, Side
from trading_lib.execution.broker import ClearedOrder
from trading_lib.workflows.orders.guarding.availability import Availability
from trading_lib.workflows.trade.broker_access import AtBrokers, account_of, is_real


class Purses:
    """Buying power of the accounts at real brokers, less what was cleared since they were asked.

    Attributes
    ----------
    left
        Account, as `Universe.account_of` names it, -> dollars.
    """

    def __init__(self, run: AtBrokers, brokers: Availability, orders: Sequence[Order]) -> None:
        self._universe = run.settings.configuration.universe
        self.left: dict[str, Decimal] = {}
        for order in orders:
            account = account_of(run, order)
            if account.name in brokers.buying_power:
                self.left[self._universe.account_of(order.symbol)] = brokers.buying_power[account.name]

    def spend(self, cleared: ClearedOrder | str) -> ClearedOrder | str:
        """Take what a cleared purchase costs out of its purse."""
        if isinstance(cleared, ClearedOrder) and cleared.order.side is Side.BUY:
            purse = self._universe.account_of(cleared.order.symbol)
            if purse in self.left:
                self.left[purse] -= cleared.order.expected_notional + cleared.order.estimated_commission
        return cleared


def open_orders(run: AtBrokers) -> tuple[Order, ...]:
    """Orders of the book that may still fill at brokers that are real."""
    found = run.orders.orders(run.book.name, statuses=OPEN_STATUSES)
    return tuple(order for order, _ in found if is_real(account_of(run, order), run.settings))

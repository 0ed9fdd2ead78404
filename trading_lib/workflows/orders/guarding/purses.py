"""What purchases of a session may still cost at each account, and what is open already, for the pre-trade checks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading_lib.domain.book.orders import OPEN_STATUSES, Order, Side
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.execution.broker import ClearedOrder
from trading_lib.workflows.orders.guarding.availability import Availability
from trading_lib.workflows.trade.broker_access import AtBrokers, account_of, is_real


class Purses:
    """Buying power of the accounts at real brokers, with what was cleared since they were asked.

    What open sales bring counts as there: purchases are decided to be paid from the sales of the same session, which
    are sent first. The broker has the last word.

    Parameters
    ----------
    orders, opened
        Those that are to be sent, and those that may still fill at real brokers.

    Attributes
    ----------
    left
        Account, as `Universe.account_of` names it, -> dollars.
    """

    def __init__(self, run: AtBrokers, brokers: Availability, orders: Sequence[Order], opened: Sequence[Order]) -> None:
        self._universe = run.settings.configuration.universe
        self.left: dict[str, Decimal] = {}
        for order in orders:
            account = account_of(run, order)
            if account.name in brokers.buying_power:
                self.left[self._universe.account_of(order.symbol)] = brokers.buying_power[account.name]
        for sale in opened if self.left else ():
            purse = self._universe.account_of(sale.symbol)
            if sale.side is Side.SELL and purse in self.left and not is_perpetual(sale.symbol):
                self.left[purse] += sale.expected_notional

    def spend(self, cleared: ClearedOrder | str) -> ClearedOrder | str:
        """Take what a cleared purchase costs out of its purse, and put in what a cleared sale will bring."""
        if not isinstance(cleared, ClearedOrder) or is_perpetual(cleared.order.symbol):
            return cleared
        order, purse = cleared.order, self._universe.account_of(cleared.order.symbol)
        if purse in self.left:
            moved = -order.expected_notional if order.side is Side.BUY else order.expected_notional
            self.left[purse] += moved - order.estimated_commission
        return cleared


def open_orders(run: AtBrokers) -> tuple[Order, ...]:
    """Orders of the book that may still fill at brokers that are real."""
    found = run.orders.orders(run.book.name, statuses=OPEN_STATUSES)
    return tuple(order for order, _ in found if is_real(account_of(run, order), run.settings))

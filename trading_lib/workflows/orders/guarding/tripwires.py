"""The kill switch, asked before every order, and what throws it by itself: orders that run away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from trading_lib.adapters.stores.orders.order_history import OrderHistory
from trading_lib.adapters.stores.orders.sent_orders import SentOrders
from trading_lib.domain.book.orders import Order, OrderStatus
from trading_lib.execution.broker import ClearedOrder
from trading_lib.orders.pre_trade import refusal_kind
from trading_lib.orders.runaway import SendingCounts, trip_reason
from trading_lib.session.open_orders import increases
from trading_lib.workflows.books.kill_switch import halt_trading, kill_switch
from trading_lib.workflows.trade.broker_access import AtBrokers, account_of, is_real

ONE_MINUTE = timedelta(minutes=1)
COLLAR, NOTIONAL = "price beyond the collar around the last good price", "order value above max_order_notional"
# Clears an order, given whether trading is halted for it.
Clear = Callable[[Order, bool], ClearedOrder | str]


class Tripwires:
    """Judges the orders of one book and session by the kill switch, and throws it when they run away.

    Only orders at brokers that are real are counted: simulated sessions are replayed by the hundred.
    """

    def __init__(self, run: AtBrokers, session: date) -> None:
        self._run, self._session = run, session
        self._config = run.settings.configuration.trips
        self._sent = SentOrders(run.engine)
        self._refused: SendingCounts | None = None

    def check(self, order: Order, clear: Clear) -> ClearedOrder | str:
        """Clear an order unless trading is halted; a breach that is one too many halts it for what follows."""
        counted = is_real(account_of(self._run, order), self._run.settings)
        if counted:
            self._trip(self._counts())
        # Read for every order: it may be thrown while earlier ones are on their way.
        state = kill_switch(self._run.settings.folders).state()
        cleared = clear(order, state.halts(reducing=not increases(order)))
        if counted and isinstance(cleared, str):
            self._trip(self._with_refusal(refusal_kind(cleared)))
        return cleared

    def _trip(self, counts: SendingCounts) -> None:
        if reason := trip_reason(counts, self._config):
            settings, book = self._run.settings, self._run.book.name
            # Whatever was allowed before, nothing of a runaway is.
            halt_trading(
                f"book {book}, session {self._session}: {reason}", settings.clock(), settings.folders, False, False
            )

    def _counts(self) -> SendingCounts:
        """Count anew: other processes send, too."""
        since = self._run.settings.clock() - ONE_MINUTE
        most = self._config.max_rejections_in_a_row
        sent = self._sent.counts(self._run.book.name, self._session, since, most)
        return SendingCounts(sent.session, sent.recent, sent.rejected_in_a_row)

    def _with_refusal(self, kind: str) -> SendingCounts:
        if self._refused is None:
            denied = OrderHistory(self._run.engine).orders(
                self._run.book.name, self._session, statuses=[OrderStatus.DENIED]
            )
            kinds = [refusal_kind(order.detail) for order in denied]
            self._refused = SendingCounts(collar_breaches=kinds.count(COLLAR), notional_breaches=kinds.count(NOTIONAL))
        before = self._refused
        self._refused = replace(
            before,
            collar_breaches=before.collar_breaches + (kind == COLLAR),
            notional_breaches=before.notional_breaches + (kind == NOTIONAL),
        )
        return self._refused

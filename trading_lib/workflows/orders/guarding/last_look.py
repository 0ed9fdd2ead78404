"""The guards once more, a moment before each order is sent: a batch takes time, and an absence is proved on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trading_lib.domain.book.orders import Order
from trading_lib.execution.broker import ClearedOrder
from trading_lib.execution.order_path.evidence import Held
from trading_lib.workflows.orders.guarding.guards import kept_back, tell_reducing
from trading_lib.workflows.trade.book_run import BookRun


@dataclass
class LastLook:
    """Clears the orders of a batch, unless a guard keeps them back by now.

    Attributes
    ----------
    held
        Orders that were kept back, with the reason.
    """

    run: BookRun
    clear: Callable[[Order], ClearedOrder | str]
    held: list[tuple[Order, str]] = field(default_factory=list)

    def check(self, order: Order) -> ClearedOrder | str | Held:
        """Clear an order, or say why it is denied or held."""
        if reason := kept_back(self.run, order):
            self.held.append((order, reason))
            return Held(reason)
        return self.clear(order)

    def tell(self) -> None:
        """Tell the operator of orders that reduce risk and were kept back."""
        tell_reducing(self.run, self.held)

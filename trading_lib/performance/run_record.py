"""A finished run as arrays: what attribution, tables and the tear sheet start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.book.orders import Cancellation, Fill, Order
from trading_lib.domain.decision.risk import RiskEvent
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import BoolArray, DateArray, FloatArray
from trading_lib.performance.time_weighted import flow_adjusted
from trading_lib.performance.trading.trades import TradeArrays, tabulate


@dataclass(frozen=True)
class RunRecord:
    """S sessions of the run's window, n assets in universe order.

    Attributes
    ----------
    sessions
        datetime64[D], shape (S,).
    nav, invested
        Shape (S,): net asset value in dollars and the share of it in assets, at each decision.
    levels, regimes
        int8, shape (S,): effective risk level, and position of the volatility regime among `MarketRegime`'s members.
    quantity
        Shape (S, n): units held at each decision, net of what perpetuals sell short.
    sleeves
        Sleeve -> shape (S, n): the part of the holdings it owns, as a share of net asset value.
    orders, events
        Give the accepted orders and what risk control did, each with its reason; putting them into words takes longer
        than the run, so only what shows them asks.
    close, mark_return, dividend, split
        Shape (S, n), the rows of `PricePanel`.
    cash_rate, month_end
        Shape (S,), likewise.
    funding
        Shape (S,): dollars received from funding in each session; None where no perpetual was held.
    cancelled
        Orders, and parts of orders, that their opening did not fill.
    refused
        Kind of reason -> how many orders the pre-trade checks refused for it.
    flows
        Shape (S,): dollars of capital that came at each session's opening less what left; None where none did.
    fill_volume
        Shape (S, n), the rows of `PricePanel`; None where no volume is to be judged.
    """

    universe: Universe
    sessions: DateArray
    nav: FloatArray
    invested: FloatArray
    levels: NDArray[np.int8]
    regimes: NDArray[np.int8]
    quantity: FloatArray
    sleeves: Mapping[str, FloatArray]
    orders: Callable[[], Sequence[Order]]
    fills: tuple[Fill, ...]
    events: Callable[[], Sequence[RiskEvent]]
    close: FloatArray
    mark_return: FloatArray
    dividend: FloatArray
    split: FloatArray
    cash_rate: FloatArray
    month_end: BoolArray
    funding: FloatArray | None = None
    cancelled: tuple[Cancellation, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    fill_volume: FloatArray | None = None
    flows: FloatArray | None = None

    @cached_property
    def adjusted_nav(self) -> FloatArray:
        """Net asset value as it would be had no capital come or gone, shape (S,); see `flow_adjusted`."""
        return flow_adjusted(self.nav, self.flows)

    @cached_property
    def returns(self) -> FloatArray:
        """Simple time-weighted returns, shape (S - 1,)."""
        returns: FloatArray = self.adjusted_nav[1:] / self.adjusted_nav[:-1] - 1.0
        return returns

    @cached_property
    def known_cash_rate(self) -> FloatArray:
        """Annual cash rate at the start of each return, 0 where unknown; shape (S - 1,)."""
        return np.nan_to_num(self.cash_rate[:-1], nan=0.0)

    @cached_property
    def value(self) -> FloatArray:
        """Dollars held in each asset at each decision, shape (S, n)."""
        return np.where(self.quantity != 0.0, self.quantity * self.close, 0.0)

    @cached_property
    def trades(self) -> TradeArrays:
        """The fills as arrays."""
        return tabulate(self.fills, self.sessions, self.universe)

"""What every metric is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.metrics.drawdowns import Drawdown, drawdowns
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR, month_returns
from trading_lib.performance.time_weighted import flow_adjusted
from trading_lib.performance.trading.trade_arrays import TradeArrays, round_trips, traded_and_costs


@dataclass(frozen=True)
class MetricInput:
    """One run of S sessions. Arrays are read-only, so that no metric can change what another one sees.

    Attributes
    ----------
    nav
        Net asset value in dollars at each decision, shape (S,), positive.
    cash_rate
        Annual cash rate known at each session, shape (S,), finite.
    trades
        Executions in whole numbers, see `TradeArrays`.
    flows
        Dollars of capital that came at each session's opening less what left, shape (S,); None where none did.
    sessions
        datetime64[D], shape (S,); None where the days are not known.
    benchmark
        Net asset value of the configured benchmark, shape (S,); None where it has no price at the first session.
    """

    nav: FloatArray
    cash_rate: FloatArray
    trades: TradeArrays
    flows: FloatArray | None = None
    sessions: DateArray | None = None
    benchmark: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("nav", "cash_rate", "flows", "sessions", "benchmark"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, _read_only(array))

    @cached_property
    def adjusted_nav(self) -> FloatArray:
        """Net asset value as it would be had no capital come or gone, shape (S,); ratios are time-weighted returns."""
        return _read_only(flow_adjusted(self.nav, self.flows))

    @cached_property
    def returns(self) -> FloatArray:
        """Simple time-weighted returns, shape (S - 1,)."""
        return _read_only(self.adjusted_nav[1:] / self.adjusted_nav[:-1] - 1.0)

    @cached_property
    def known_cash_rate(self) -> FloatArray:
        """Annual cash rate at the start of each return, shape (S - 1,)."""
        return self.cash_rate[:-1]

    @cached_property
    def excess(self) -> FloatArray:
        """Returns over the cash rate, shape (S - 1,)."""
        return _read_only(self.returns - self.known_cash_rate / SESSIONS_PER_YEAR)

    @cached_property
    def years(self) -> float:
        """Length of the run."""
        return len(self.returns) / SESSIONS_PER_YEAR

    @cached_property
    def average_nav(self) -> float:
        """Average net asset value in dollars."""
        return float(self.nav.mean())

    @cached_property
    def months(self) -> FloatArray:
        """Compounded return of every month, the first and the last as far as the run covers them; empty without days.

        Shape (months,).
        """
        empty: FloatArray = np.empty(0)
        return empty if self.sessions is None else _read_only(month_returns(self.sessions, self.adjusted_nav)[1])

    @cached_property
    def drawdowns(self) -> tuple[Drawdown, ...]:
        """Every fall from a peak of the adjusted value, the deepest first."""
        return drawdowns(self.adjusted_nav)

    @cached_property
    def profits(self) -> list[float]:
        """Profit in dollars after commissions of every closed round trip, flat to flat in one asset, in order."""
        profits: list[float] = round_trips(
            self.trades.asset, self.trades.quantity, self.trades.price, self.trades.commission
        ).tolist()
        return profits

    @property
    def traded(self) -> float:
        """Traded value in dollars."""
        return self._traded_and_costs[0] / 100.0

    @property
    def costs(self) -> float:
        """Commissions and slippage in dollars."""
        return self._traded_and_costs[1] / 100.0

    @cached_property
    def _traded_and_costs(self) -> tuple[int, int]:
        trades = self.trades
        return traded_and_costs(trades.quantity, trades.price, trades.reference, trades.commission)

    @cached_property
    def benchmark_returns(self) -> FloatArray | None:
        """Simple returns of the benchmark, shape (S - 1,)."""
        return None if self.benchmark is None else _read_only(self.benchmark[1:] / self.benchmark[:-1] - 1.0)


def _read_only(array: FloatArray) -> FloatArray:
    """Return a view of a copy of its own: a view of what may be written could be made writable again."""
    owner = array.copy()
    owner.flags.writeable = False
    return owner.view()

"""Metrics with stated definitions. Input: daily net asset values, fills, cash rate, flows.

See docs/specification.md#performance-metrics and docs/metrics.md.

A year has 252 sessions and a month 21. A metric that cannot be computed (too few sessions, no closed trade) is None,
never a made-up 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.book.orders import Fill
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.time_weighted import flow_adjusted
from trading_lib.performance.trading.trade_arrays import TradeArrays, round_trips, trade_arrays, traded_and_costs

SESSIONS_PER_YEAR = 252.0
SESSIONS_PER_MONTH = 21.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of one run; rates are fractions per year unless said otherwise.

    Attributes
    ----------
    annual_return
        Geometric and time-weighted: ``(last / first) ** (252 / (sessions - 1)) - 1`` of the flow-adjusted value.
    annual_volatility
        Sample standard deviation of daily simple returns times ``sqrt(252)``.
    sharpe
        Mean daily return over the cash rate, divided by its sample standard deviation, times ``sqrt(252)``.
    cash_rate
        Average annual cash rate used; 0 where the data has none.
    max_drawdown
        Largest fall from a running peak, as a positive fraction.
    calmar
        ``annual_return / max_drawdown``.
    win_rate
        Share of closed round trips (flat to flat in one asset) with a profit after commissions.
    profit_factor
        Profits of winning round trips divided by losses of losing ones.
    monthly_turnover
        Half the traded notional per 21 sessions, over the average net asset value.
    annual_cost_drag
        Commissions and slippage per year, over the average net asset value.
    """

    sessions: int
    final_nav: float
    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    cash_rate: float
    max_drawdown: float
    calmar: float | None
    win_rate: float | None
    profit_factor: float | None
    round_trips: int
    monthly_turnover: float | None
    annual_cost_drag: float | None
    trades: int


def measure(
    nav: FloatArray,
    fills: Sequence[Fill] | TradeArrays,
    cash_rate: FloatArray,
    flows: FloatArray | None = None,
) -> Metrics:
    """Compute the metrics of one run.

    Parameters
    ----------
    nav
        Net asset value at each decision, shape (S,), positive.
    cash_rate
        Annual cash rate as a fraction, shape (S,); NaN counts as 0.
    flows
        Dollars of capital that came at each session's opening less what left, shape (S,); None where none did.
    """
    adjusted = flow_adjusted(nav, flows)
    returns = adjusted[1:] / adjusted[:-1] - 1.0
    rate = np.nan_to_num(cash_rate, nan=0.0)
    years = len(returns) / SESSIONS_PER_YEAR
    annual = annual_return(adjusted)
    drawdown = max_drawdown(adjusted)
    trades = _in_arrays(fills)
    profits = round_trip_profits(trades)
    traded, costs = traded_and_costs(trades.quantity, trades.price, trades.reference, trades.commission)
    average = float(nav.mean())
    return Metrics(
        sessions=len(nav),
        final_nav=float(nav[-1]),
        annual_return=annual,
        annual_volatility=volatility(returns),
        sharpe=sharpe_ratio(returns, rate[:-1]),
        cash_rate=float(rate.mean()),
        max_drawdown=drawdown,
        calmar=annual / drawdown if annual is not None and drawdown > 0 else None,
        win_rate=sum(p > 0 for p in profits) / len(profits) if profits else None,
        profit_factor=_profit_factor(profits),
        round_trips=len(profits),
        monthly_turnover=monthly_turnover(traded / 100.0, average, len(returns)),
        annual_cost_drag=costs / 100.0 / average / years if years > 0 else None,
        trades=len(trades.asset),
    )


def annual_return(nav: FloatArray) -> float | None:
    """Compound annual growth of a curve of decisions, shape (S,), positive; None with fewer than two."""
    years = (len(nav) - 1) / SESSIONS_PER_YEAR
    return float((nav[-1] / nav[0]) ** (1.0 / years) - 1.0) if years > 0 else None


def monthly_turnover(traded: float, average: float, returns: int) -> float | None:
    """Half the notional traded in so many sessions, as a fraction of the average value and per month of sessions."""
    return traded / 2.0 / average / (returns / SESSIONS_PER_MONTH) if returns > 0 else None


def max_drawdown(nav: FloatArray) -> float:
    """Largest fall from a running peak as a positive fraction; 0 for a series that never falls."""
    return float((1.0 - nav / np.maximum.accumulate(nav)).max())


def sharpe_ratio(returns: FloatArray, cash_rate: FloatArray) -> float | None:
    """Annualised Sharpe ratio over the cash rate; None with fewer than two returns or without variation.

    Parameters
    ----------
    returns
        Daily simple returns, shape (S,).
    cash_rate
        Annual rate known at the start of each return, shape (S,).
    """
    excess = returns - cash_rate / SESSIONS_PER_YEAR
    deviation = float(excess.std(ddof=1)) if len(excess) > 1 else 0.0
    # A constant series leaves rounding dust in its standard deviation.
    if deviation < 1e-12:
        return None
    return float(excess.mean() / deviation * math.sqrt(SESSIONS_PER_YEAR))


def volatility(returns: FloatArray) -> float | None:
    """Annualised sample standard deviation of daily returns; None with fewer than two."""
    return float(returns.std(ddof=1) * math.sqrt(SESSIONS_PER_YEAR)) if len(returns) > 1 else None


def round_trip_profits(fills: Sequence[Fill] | TradeArrays) -> list[float]:
    """Profit in dollars after commissions of every closed round trip, flat to flat in one asset, in closing order."""
    trades = _in_arrays(fills)
    profits: list[float] = round_trips(trades.asset, trades.quantity, trades.price, trades.commission).tolist()
    return profits


def _in_arrays(fills: Sequence[Fill] | TradeArrays) -> TradeArrays:
    return fills if isinstance(fills, TradeArrays) else trade_arrays(fills)


def _profit_factor(profits: Sequence[float]) -> float | None:
    losses = -sum(p for p in profits if p < 0)
    return sum(p for p in profits if p > 0) / losses if losses > 0 else None

"""The run year by year, month by month and by volatility regime.

A return belongs to the session it ends in; its regime is the one known at the decision before it, which shaped it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.signals import REGIME_CODES, MarketRegime
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.metrics.formulas import (
    SESSIONS_PER_MONTH,
    SESSIONS_PER_YEAR,
    max_drawdown,
    month_returns,
    sharpe_ratio,
    volatility,
)
from trading_lib.performance.run_record import RunRecord


@dataclass(frozen=True, slots=True)
class YearFigures:
    """One calendar year, or the part of it inside the window.

    Attributes
    ----------
    sessions
        Number of returns that end in the year.
    total_return
        Compounded, not annualised; the years multiply to the return of the run.
    max_drawdown
        From the highest value since the year began, the last value of the year before included.
    cost_drag
        Costs over the year's average net asset value, not annualised.
    """

    year: int
    sessions: int
    total_return: float
    annual_volatility: float | None
    sharpe: float | None
    max_drawdown: float
    monthly_turnover: float
    cost_drag: float
    trades: int
    average_invested: float
    max_risk_level: int


@dataclass(frozen=True, slots=True)
class RegimeFigures:
    """All sessions that followed a decision in one regime.

    Attributes
    ----------
    share
        Of all returns.
    total_return
        Compounded over them, not annualised; the regimes multiply to the return of the run.
    annual_return
        The same per 252 of them.
    average_invested
        At the decisions.
    """

    regime: MarketRegime
    sessions: int
    share: float
    total_return: float
    annual_return: float
    annual_volatility: float | None
    sharpe: float | None
    worst_session: float
    average_invested: float


def by_year(record: RunRecord) -> tuple[YearFigures, ...]:
    """Figures of every year in which a return ends; none for a run of a single session."""
    years = _years(record.sessions)[1:]
    trades, sessions = record.trades, len(record.nav)
    costs = trades.by_session(trades.commission + trades.slippage, sessions)
    traded = trades.by_session(np.abs(trades.flow), sessions)
    fills = np.bincount(trades.row, minlength=sessions)
    return tuple(
        _year(record, int(year), np.flatnonzero(years == year), costs, traded, fills) for year in np.unique(years)
    )


def _year(
    record: RunRecord, year: int, at: NDArray[np.intp], costs: FloatArray, traded: FloatArray, fills: NDArray[np.int64]
) -> YearFigures:
    returns = record.returns[at]
    # Row k of the returns leads to row k + 1 of everything else.
    rows = at + 1
    nav = record.adjusted_nav[at[0] : at[-1] + 2]
    average = float(record.nav[at[0] : at[-1] + 2].mean())
    return YearFigures(
        year=year,
        sessions=len(at),
        total_return=float(nav[-1] / nav[0] - 1.0),
        annual_volatility=volatility(returns),
        sharpe=sharpe_ratio(returns, record.known_cash_rate[at]),
        max_drawdown=max_drawdown(nav),
        monthly_turnover=float(traded[rows].sum()) / 2.0 / average / (len(at) / SESSIONS_PER_MONTH),
        cost_drag=float(costs[rows].sum()) / average,
        trades=int(fills[rows].sum()),
        average_invested=float(record.invested[rows].mean()),
        max_risk_level=int(record.levels[rows].max()),
    )


def by_regime(record: RunRecord) -> tuple[RegimeFigures, ...]:
    """Figures of every regime that occurred, calmest first."""
    known = record.regimes[:-1]
    figures = []
    for regime, code in REGIME_CODES.items():
        at = np.flatnonzero(known == code)
        if len(at):
            figures.append(_regime(record, regime, at))
    return tuple(figures)


def _regime(record: RunRecord, regime: MarketRegime, at: NDArray[np.intp]) -> RegimeFigures:
    returns = record.returns[at]
    growth = float(np.prod(1.0 + returns))
    return RegimeFigures(
        regime=regime,
        sessions=len(at),
        share=len(at) / len(record.returns),
        total_return=growth - 1.0,
        annual_return=growth ** (SESSIONS_PER_YEAR / len(at)) - 1.0,
        annual_volatility=volatility(returns),
        sharpe=sharpe_ratio(returns, record.known_cash_rate[at]),
        worst_session=float(returns.min()),
        average_invested=float(record.invested[at].mean()),
    )


def monthly_returns(sessions: DateArray, nav: FloatArray) -> tuple[tuple[int, ...], FloatArray]:
    """Compounded return of every month.

    Returns
    -------
    years
        Ascending.
    table
        Shape (years, 12); NaN for months in which no return ends.
    """
    months, returns = month_returns(sessions, nav)
    if not len(months):
        return (), np.empty((0, 12))
    numbers = months.astype(np.int64)
    first, last = int(numbers[0]) // 12, int(numbers[-1]) // 12
    table = np.full((last - first + 1, 12), np.nan)
    table[numbers // 12 - first, numbers % 12] = returns
    return tuple(range(1970 + first, 1970 + last + 1)), table


def rolling_sharpe(returns: FloatArray, cash_rate: FloatArray, window: int) -> FloatArray:
    """Annualised Sharpe ratio over the newest ``window`` returns; NaN before that many and without variation."""
    return _rolling(returns - cash_rate / SESSIONS_PER_YEAR, window)[0]


def rolling_volatility(returns: FloatArray, window: int) -> FloatArray:
    """Annualised volatility over the newest ``window`` returns; NaN before that many."""
    return _rolling(returns, window)[1]


def _rolling(values: FloatArray, window: int) -> tuple[FloatArray, FloatArray]:
    ratio, deviation = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if len(values) >= window:
        views = np.lib.stride_tricks.sliding_window_view(values, window)
        spread = views.std(axis=1, ddof=1)
        deviation[window - 1 :] = spread * np.sqrt(SESSIONS_PER_YEAR)
        varied = spread > 1e-12
        mean = views.mean(axis=1)
        ratio[window - 1 :] = np.where(
            varied, mean / np.where(varied, spread, 1.0) * np.sqrt(SESSIONS_PER_YEAR), np.nan
        )
    return ratio, deviation


def _years(sessions: DateArray) -> NDArray[np.int64]:
    years: NDArray[np.int64] = sessions.astype("datetime64[Y]").astype(np.int64) + 1970
    return years

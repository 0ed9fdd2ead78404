"""Broad screening: many plans of target weights valued at once by vectorbt.

A screened figure ranks points of a parameter grid; it is no backtest. Prices are total-return prices, so that splits
change nothing and dividends are reinvested; an order decided in one session fills at the opening of the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_lib.backtest.screening.target_plan import ScreeningPlan
from trading_lib.domain.errors import DataQualityError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.execution.refusals import contradicted
from trading_lib.performance.metrics.formulas import annual_return, max_drawdown, monthly_turnover, sharpe_ratio
from trading_lib.session.inputs import SessionInput

# Memory for a batch, and the arrays of sessions by assets that vectorbt and its inputs hold of each plan.
BATCH_BYTES = 256 * 2**20
ARRAYS_PER_PLAN = 16
# What a plan is worth does not depend on it: nothing is rounded to lots or cents.
INITIAL_CASH = 1e6


@dataclass(frozen=True, slots=True)
class ScreenedFigures:
    """Figures of a plan; definitions as in `Metrics`, None where a figure cannot be computed.

    Attributes
    ----------
    nav
        Shape (S,): net asset value at each decision.
    """

    sharpe: float | None
    annual_return: float | None
    max_drawdown: float
    monthly_turnover: float | None
    nav: FloatArray


@dataclass(frozen=True, slots=True)
class ScreeningPrices:
    """Total-return prices of a window, shapes (S, n).

    Attributes
    ----------
    close
        1 at the first session, and 1 as long as an asset does not exist.
    opening
        Comparable with ``close``; NaN where nothing can be traded.
    """

    close: FloatArray
    opening: FloatArray


def plans_per_batch(sessions: int, assets: int) -> int:
    """How many plans fit into the memory of a batch."""
    return max(BATCH_BYTES // (8 * ARRAYS_PER_PLAN * max(sessions * assets, 1)), 1)


def screening_prices(data: SessionInput, rows: range) -> ScreeningPrices:
    """Scale closes and openings of a window to total-return prices."""
    window = slice(rows.start, rows.stop)
    moves = np.nan_to_num(data.panel.mark_return[window], nan=0.0)
    moves[0] = 0.0
    close: FloatArray = np.cumprod(1.0 + moves, axis=0).astype(np.float64)
    raw, opening = data.panel.close[window], data.panel.fill_open[window]
    wrong = contradicted(opening, data.panel.fill_low[window], data.panel.fill_high[window], data.paper.price_unit)
    tradable = np.isfinite(opening) & (opening > 0) & np.isfinite(raw) & (raw > 0) & ~wrong
    scaled = np.divide(opening * close, raw, out=np.full(close.shape, np.nan), where=tradable)
    return ScreeningPrices(close, scaled)


def screen_plans(data: SessionInput, rows: range, plans: Sequence[ScreeningPlan]) -> tuple[ScreenedFigures, ...]:
    """Value plans of one window, in batches of bounded memory; costs are those of the universe.

    Raises
    ------
    DataQualityError
        When a net asset value falls to zero.
    """
    prices, size = screening_prices(data, rows), plans_per_batch(len(rows), len(data.universe))
    cash_rate = np.nan_to_num(data.panel.cash_rate[rows.start : rows.stop], nan=0.0)
    figures: list[ScreenedFigures] = []
    for start in range(0, len(plans), size):
        nav, traded = _value(data, prices, plans[start : start + size])
        if not (nav > 0).all():
            raise DataQualityError("a screened net asset value fell to zero or below", "check the universe's prices")
        figures += [_figures(nav[:, k].copy(), float(traded[k]), cash_rate) for k in range(nav.shape[1])]
    return tuple(figures)


def _value(
    data: SessionInput, prices: ScreeningPrices, plans: Sequence[ScreeningPlan]
) -> tuple[FloatArray, FloatArray]:
    """Net asset values, shape (S, plans), and traded notional, shape (plans,)."""
    # Importing vectorbt takes many seconds, so it is imported only here.
    import vectorbt  # type: ignore[import-untyped]

    many, assets = len(plans), prices.close.shape[1]
    # Decided in one session, placed in the next.
    size = np.full((len(prices.close), many * assets), np.nan)
    size[1:] = np.hstack([plan.orders[:-1] for plan in plans])
    before = np.vstack([prices.close[:1], prices.close[:-1]])
    priced = np.isfinite(prices.opening)
    price = np.tile(np.where(priced, prices.opening, before), many)
    size[np.tile(~priced, many)] = np.nan
    portfolio = vectorbt.Portfolio.from_orders(
        np.tile(prices.close, many),
        size=size,
        size_type="targetpercent",
        price=price,
        # Assets not traded today are valued at their opening, too: targets are shares of that value.
        val_price=price,
        fees=np.tile([float(i.commission_rate) for i in data.universe], many)[None, :],
        slippage=np.tile([float(i.slippage_rate) for i in data.universe], many)[None, :],
        init_cash=INITIAL_CASH,
        cash_sharing=True,
        # Sales first, so that they pay for purchases.
        call_seq="auto",
        group_by=np.repeat(np.arange(many), assets),
    )
    records = portfolio.orders.values
    traded = np.zeros(many)
    np.add.at(traded, records["col"] // assets, records["size"] * records["price"])
    return np.asarray(portfolio.value(), dtype=np.float64).reshape(len(prices.close), many), traded


def _figures(nav: FloatArray, traded: float, cash_rate: FloatArray) -> ScreenedFigures:
    returns = nav[1:] / nav[:-1] - 1.0
    return ScreenedFigures(
        sharpe=sharpe_ratio(returns, cash_rate[:-1]),
        annual_return=annual_return(nav),
        max_drawdown=max_drawdown(nav),
        monthly_turnover=monthly_turnover(traded, float(nav.mean()), len(returns)),
        nav=nav,
    )

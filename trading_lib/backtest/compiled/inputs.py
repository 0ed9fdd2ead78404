"""The loop's inputs as arrays: assets, market data and rules."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import FactorPanel, SessionViews
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.money import MICRO, to_cents, to_micros
from trading_lib.execution.config import PaperConfig
from trading_lib.execution.refusals import contradicted
from trading_lib.portfolio.constraints import total_limit
from trading_lib.risk.limits.retirement import without_price
from trading_lib.risk.numbers import RiskNumbers
from trading_lib.session.inputs import SessionInput
from trading_lib.session.risk_only import lowest_between
from trading_lib.strategies.loop_form import LoopForm
from trading_lib.strategies.registry import Sleeve

# Largest count of parameters that a sleeve passes to the loop.
NUMBERS = 3


class Assets(NamedTuple):
    """Arrays of the universe; see the properties of the same names there."""

    max_weights: FloatArray
    volatility_targets: FloatArray
    crypto: BoolArray
    safe_havens: BoolArray
    retired: BoolArray
    stops: FloatArray
    lots: IntegerArray
    commissions: IntegerArray
    slippages: IntegerArray
    account_numbers: IntegerArray
    cost_rates: FloatArray


class Rows(NamedTuple):
    """The panel, shapes (T, n); prices that are traded at in millionths of a dollar, -1 where there is none.

    An opening that its own bar contradicts is none.

    Attributes
    ----------
    retired
        Assets that have had no price for too long; see `risk.retirement`.
    turning
        Shape (T,): whether the session differs in that from the one before, books recorded proceeds, or has a flow.
    lowest_between
        Lowest price at which a stop is checked on the days without a session before each row; -1 where there is none.
    """

    close: FloatArray
    opening: IntegerArray
    fresh: BoolArray
    retired: BoolArray
    turning: BoolArray
    lowest_between: IntegerArray
    dividend: IntegerArray
    split: FloatArray
    mark_return: FloatArray
    volatility: FloatArray


class Rules(NamedTuple):
    """Numbers of the configuration; money in cents, rates of money in millionths."""

    kinds: NDArray[np.int8]
    budgets: FloatArray
    sleeve_numbers: FloatArray
    pair_correlation: float
    total_weight: float
    volatility_window: int
    risk: RiskNumbers
    rebalance_threshold: float
    max_trades: int
    turnover: int
    buffer: int
    smallest_trade: int
    largest_order: int
    largest_quantity: int
    price_unit: int


def assets_of(universe: Universe) -> Assets:
    """Collect the universe's arrays."""
    return Assets(*(getattr(universe, name) for name in Assets._fields))


def rows_of(data: SessionInput) -> Rows:
    """Collect the panel's arrays."""
    panel, factors = data.panel, data.factors
    wrong = contradicted(panel.fill_open, panel.fill_low, panel.fill_high, data.paper.price_unit)
    retired = without_price(panel.price_age, data.config.risk)
    return Rows(
        close=np.ascontiguousarray(panel.close),
        opening=_micros(np.where(wrong, np.nan, panel.fill_open)),
        fresh=np.ascontiguousarray(panel.fresh),
        retired=retired,
        turning=np.r_[True, (retired[1:] != retired[:-1]).any(axis=1)] | _sessions_with_events(data),
        lowest_between=_micros(lowest_between(data)),
        dividend=_micros(panel.dividend),
        split=np.ascontiguousarray(panel.split),
        mark_return=np.ascontiguousarray(panel.mark_return),
        volatility=np.ascontiguousarray(factor_rows(factors, "Volatility_60")),
    )


def shared_rows(data: SessionInput, views: SessionViews) -> Rows:
    """Return `rows_of`, cached for runs that share the views."""
    risk, capital = data.config.risk, (data.proceeds, data.flows)
    now = (data.paper.price_unit, risk.retire_after_sessions, risk.stops.days_without_session, capital)
    # Only the newest are kept: a sweep may try a thousand.
    cached = views.remembered.get("rows")
    if cached is None or cached[0] != now:
        cached = views.remembered["rows"] = now, rows_of(data)
    rows: Rows = cached[1]
    return rows


def _sessions_with_events(data: SessionInput) -> BoolArray:
    days = [entry.session for entry in data.proceeds] + [entry.session for entry in data.flows]
    return np.isin(data.panel.sessions, np.array(days, dtype="datetime64[D]"))


def _micros(prices: FloatArray) -> IntegerArray:
    usable = np.isfinite(prices) & (prices > 0)
    return np.where(usable, np.rint(np.where(usable, prices, 0.0) * MICRO), -1).astype(np.int64)


def factor_rows(factors: FactorPanel, name: str) -> FloatArray:
    """All rows of a factor, shape (T, n)."""
    values: FloatArray = factors.values[factors.names.index(name)]
    return values


def rules_of(config: DecisionConfig, paper: PaperConfig, sleeves: tuple[Sleeve, ...]) -> Rules:
    """Collect the configuration's numbers."""
    constraints, risk, orders = config.constraints, config.risk, config.orders
    forms = [form_of(sleeve) for sleeve in sleeves]
    return Rules(
        kinds=np.array([form.rules for form in forms], np.int8),
        budgets=np.array([sleeve.budget for sleeve in sleeves]),
        sleeve_numbers=np.array([_numbers(form) for form in forms]),
        pair_correlation=constraints.pair_correlation,
        total_weight=total_limit(constraints).weight,
        volatility_window=risk.volatility_window,
        risk=risk.numbers,
        rebalance_threshold=orders.rebalance_threshold,
        max_trades=orders.max_daily_trades,
        turnover=orders.turnover_millionths,
        buffer=orders.buffer_millionths,
        smallest_trade=to_cents(orders.min_trade_value),
        largest_order=to_cents(config.pre_trade.max_order_notional),
        largest_quantity=to_micros(config.pre_trade.max_order_quantity),
        price_unit=paper.price_unit,
    )


def form_of(sleeve: Sleeve) -> LoopForm:
    """Return the loop form of a sleeve that `can_loop` accepted."""
    form = sleeve.loop_form
    if form is None:
        raise ValueError(f"sleeve {sleeve.name} is not for the loop: its strategy has no loop_form()")
    return form


def _numbers(form: LoopForm) -> tuple[float, ...]:
    return form.numbers + (0.0,) * (NUMBERS - len(form.numbers))

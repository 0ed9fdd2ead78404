"""What the loop reads: assets, market and rules as arrays, and per session all that does not depend on the book."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.trading_session import BacktestInput
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.correlation import pair_correlations, summarise_correlations
from trading_lib.domain.instruments import Universe
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market_view import FactorPanel, MarketView, SessionViews
from trading_lib.domain.money import MICRO, to_cents
from trading_lib.domain.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.execution.config import PaperConfig
from trading_lib.strategies.config import StrategySettings
from trading_lib.strategies.monthly_allocation import plan_month
from trading_lib.strategies.patient_trend import PatientTrend
from trading_lib.strategies.planned import Planned
from trading_lib.strategies.regime import regime_code
from trading_lib.strategies.registry import Sleeve
from trading_lib.strategies.rotation import MonthlyMomentum
from trading_lib.strategies.signals import after_regime, signal_rules
from trading_lib.strategies.trend import Trend

# Kinds of sleeves the loop can trade.
TREND, PATIENT, MONTHLY, PLANNED = range(4)


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
    cost_rates: FloatArray


class Rows(NamedTuple):
    """The panel, shapes (T, n); prices that are traded at in millionths of a dollar, -1 where there is none."""

    close: FloatArray
    opening: IntegerArray
    fresh: BoolArray
    dividend: IntegerArray
    split: FloatArray
    mark_return: FloatArray
    volatility: FloatArray


class Outlook(NamedTuple):
    """What c consecutive sessions say without the book, from row ``first`` on; s sleeves.

    Attributes
    ----------
    codes, confidence, complete
        Shape (c, n): signals, and whether there is one.
    regimes
        Shape (c,): twice the regime's code, plus 1 where ^VIX had to be assumed.
    correlations, summaries
        Shapes (c, n, n) and (c, 3).
    due
        Shape (s, c): whether a sleeve decides anew.
    shares, kept, defence
        Shape (s, c, n): a planned sleeve's weights, and a monthly one's `MonthPlan`.
    stays, defensive, notable
        Shape (s, c): of the `MonthPlan`; notable is one that a person should see.
    """

    first: int
    codes: NDArray[np.int8]
    confidence: FloatArray
    complete: BoolArray
    regimes: NDArray[np.int8]
    correlations: FloatArray
    summaries: FloatArray
    due: BoolArray
    shares: FloatArray
    kept: BoolArray
    defence: BoolArray
    stays: BoolArray
    defensive: BoolArray
    notable: BoolArray


class Rules(NamedTuple):
    """Numbers of the configuration; money in cents, rates of money in millionths."""

    kinds: NDArray[np.int8]
    budgets: FloatArray
    sleeve_numbers: FloatArray
    pair_correlation: float
    total_weight: float
    volatility_window: int
    level_bounds: FloatArray
    rebase_margin: float
    target_volatility: float
    calm_sessions: int
    average_floor: float
    pair_floor: float
    level_1_confidence: float
    kept_at_level_2: int
    cool_off: int
    rebalance_threshold: float
    max_trades: int
    turnover: int
    buffer: int
    smallest_trade: int
    largest_order: int
    price_unit: int


def assets_of(universe: Universe) -> Assets:
    """Collect the universe's arrays."""
    return Assets(*(getattr(universe, name) for name in Assets._fields))


def rows_of(data: BacktestInput) -> Rows:
    """Collect the panel's arrays."""
    panel, factors = data.panel, data.factors
    return Rows(
        close=np.ascontiguousarray(panel.close),
        opening=_micros(panel.fill_open),
        fresh=np.ascontiguousarray(panel.fresh),
        dividend=_micros(panel.dividend),
        split=np.ascontiguousarray(panel.split),
        mark_return=np.ascontiguousarray(panel.mark_return),
        volatility=np.ascontiguousarray(_factor(factors, "Volatility_60")),
    )


def _micros(prices: FloatArray) -> IntegerArray:
    usable = np.isfinite(prices) & (prices > 0)
    return np.where(usable, np.rint(np.where(usable, prices, 0.0) * MICRO), -1).astype(np.int64)


def _factor(factors: FactorPanel, name: str) -> FloatArray:
    values: FloatArray = factors.values[factors.names.index(name)]
    return values


def rules_of(config: DecisionConfig, paper: PaperConfig, sleeves: tuple[Sleeve, ...]) -> Rules:
    """Collect the configuration's numbers."""
    constraints, risk, orders = config.constraints, config.risk, config.orders
    return Rules(
        kinds=np.array([kind_of(sleeve) for sleeve in sleeves], np.int8),
        budgets=np.array([sleeve.budget for sleeve in sleeves]),
        sleeve_numbers=np.array([_numbers(sleeve) for sleeve in sleeves]),
        pair_correlation=constraints.pair_correlation,
        total_weight=min(1.0 - constraints.cash_buffer, constraints.max_leverage),
        volatility_window=risk.volatility_window,
        level_bounds=risk.levels.bounds,
        rebase_margin=risk.levels.rebase_margin,
        target_volatility=risk.target_volatility,
        calm_sessions=risk.calm_sessions,
        average_floor=risk.correlation.average_floor_1,
        pair_floor=risk.correlation.every_pair_floor_2,
        level_1_confidence=risk.levels.level_1_minimum_confidence,
        kept_at_level_2=risk.levels.kept_millionths[2],
        cool_off=risk.stops.cool_off_sessions,
        rebalance_threshold=orders.rebalance_threshold,
        max_trades=orders.max_daily_trades,
        turnover=orders.turnover_millionths,
        buffer=orders.buffer_millionths,
        smallest_trade=to_cents(orders.min_trade_value),
        largest_order=to_cents(config.pre_trade.max_order_notional),
        price_unit=paper.price_unit,
    )


def kind_of(sleeve: Sleeve) -> int | None:
    """How the loop trades a sleeve; None when it cannot."""
    for kind, strategy in ((TREND, Trend), (PATIENT, PatientTrend), (MONTHLY, MonthlyMomentum), (PLANNED, Planned)):
        if isinstance(sleeve.strategy, strategy):
            return kind
    return None


def _numbers(sleeve: Sleeve) -> tuple[float, float, float]:
    strategy = sleeve.strategy
    if isinstance(strategy, Trend):
        return strategy.minimum_confidence, strategy.config.target_volatility, 1.0
    if isinstance(strategy, PatientTrend):
        return strategy.minimum_confidence, strategy.config.target_volatility, float(strategy.config.sessions)
    if isinstance(strategy, MonthlyMomentum):
        return strategy.config.monthly_turnover, strategy.config.monthly_cost, 0.0
    return 0.0, 0.0, 0.0


def outlook_of(
    data: BacktestInput, views: SessionViews, rows: Rows, sleeves: tuple[Sleeve, ...], first: int, stop: int
) -> Outlook:
    """Compute what rows [first, stop) say without the book; runs that share the views share what it costs."""
    regimes, codes, confidence, complete = _signals(data, rows, first, stop)
    correlations, summaries = _correlations(data, views, first, stop)
    count, assets, many = stop - first, len(data.universe), len(sleeves)
    flags = [np.zeros((many, count), np.bool_) for _ in range(4)]
    masks = [np.zeros((many, count, assets), np.bool_) for _ in range(2)]
    outlook = Outlook(
        first, codes, confidence, complete, regimes, correlations, summaries,
        flags[0], np.zeros((many, count, assets)), masks[0], masks[1], flags[1], flags[2], flags[3],
    )  # fmt: skip
    month_ends = np.flatnonzero(data.panel.month_end[first:stop]).tolist()
    for number, sleeve in enumerate(sleeves):
        if isinstance(sleeve.strategy, MonthlyMomentum):
            _plan_months(outlook, number, sleeve.strategy, views, month_ends)
        elif isinstance(sleeve.strategy, Planned):
            _plan_weights(outlook, number, sleeve.strategy, views, month_ends, count)
    return outlook


def _plan_months(
    outlook: Outlook, sleeve: int, strategy: MonthlyMomentum, views: SessionViews, month_ends: list[int]
) -> None:
    for step in month_ends:
        plan = plan_month(views[outlook.first + step], strategy.config, strategy.weighing)
        outlook.due[sleeve, step] = True
        outlook.shares[sleeve, step] = plan.dense_shares
        outlook.kept[sleeve, step] = plan.groups.kept
        outlook.defence[sleeve, step] = plan.defence
        outlook.stays[sleeve, step] = plan.stays
        outlook.defensive[sleeve, step] = plan.groups.defensive
        outlook.notable[sleeve, step] = bool(plan.shares.failure) or (
            bool(plan.shares.left_out) and not len(plan.shares.columns)
        )


def _plan_weights(
    outlook: Outlook, sleeve: int, strategy: Planned, views: SessionViews, month_ends: list[int], count: int
) -> None:
    # Only the newest plan of each sleeve is kept: a sweep makes a thousand.
    key, stretch = ("plan", sleeve), (strategy, outlook.first, count)
    known = views.remembered.get(key)
    if known is None or known[0] != stretch:
        for step in month_ends if strategy.monthly else range(count):
            weights = _planned(strategy, views[outlook.first + step])
            if weights is not None:
                outlook.due[sleeve, step] = True
                outlook.shares[sleeve, step] = weights
        known = views.remembered[key] = (stretch, outlook.due[sleeve], outlook.shares[sleeve])
    outlook.due[sleeve], outlook.shares[sleeve] = known[1:]


def _planned(strategy: Planned, view: MarketView) -> FloatArray | None:
    """Ask for the plan; an answer that makes no sense becomes NaN, which hands the session over."""
    nonsense = np.full(len(view.universe), np.nan)
    try:
        weights = strategy.weights(view)
    except Exception:  # whatever a user's strategy raises, the session told in words will say it
        return nonsense
    sensible = weights is None or (getattr(weights, "shape", None) == nonsense.shape and weights.dtype == np.float64)
    return weights if sensible else nonsense


def _signals(
    data: BacktestInput, rows: Rows, first: int, stop: int
) -> tuple[NDArray[np.int8], NDArray[np.int8], FloatArray, BoolArray]:
    settings: StrategySettings = data.config.strategy
    panel, factors = data.panel, data.factors
    window = slice(first, stop)
    regime, signals = settings.regime, settings.signals
    return signals_of_rows(
        factors.total_return_close[window],
        _factor(factors, "Momentum_60")[window],
        _factor(factors, "Volatility_60")[window],
        _factor(factors, "SMA_20")[window],
        _factor(factors, "SMA_50")[window],
        _factor(factors, "SMA_200")[window],
        panel.volatility_index[window],
        panel.volatility_index_age[window],
        data.universe.periods_per_year,
        (regime.max_age_sessions, regime.elevated, regime.high, regime.extreme),
        (signals.momentum_high, signals.momentum_low, signals.momentum_negative, signals.momentum_negative_high),
    )


@compiled
def signals_of_rows(
    close: FloatArray,
    momentum: FloatArray,
    volatility: FloatArray,
    sma_20: FloatArray,
    sma_50: FloatArray,
    sma_200: FloatArray,
    volatility_index: FloatArray,
    age: IntegerArray,
    periods_per_year: FloatArray,
    regime_bounds: tuple[int, float, float, float],
    momentum_bounds: tuple[float, float, float, float],
) -> tuple[NDArray[np.int8], NDArray[np.int8], FloatArray, BoolArray]:
    """Regimes, signal codes, confidence and completeness of many sessions at once, by the rules of one."""
    count, assets = close.shape
    regimes = np.zeros(count, np.int8)
    codes, confidence = np.zeros((count, assets), np.int8), np.zeros((count, assets))
    complete = np.zeros((count, assets), np.bool_)
    max_age, elevated, high, extreme = regime_bounds
    strong, weak, negative, negative_strong = momentum_bounds
    for t in range(count):
        regime, missing = regime_code(volatility_index[t], age[t], max_age, elevated, high, extreme)
        regimes[t] = 2 * regime + (1 if missing else 0)
        found, trust, complete[t] = signal_rules(
            close[t],
            momentum[t],
            volatility[t],
            sma_20[t],
            sma_50[t],
            sma_200[t],
            periods_per_year,
            regime < 2,
            strong,
            weak,
            negative,
            negative_strong,
        )
        codes[t], confidence[t] = after_regime(found, trust, regime)
    return regimes, codes, confidence, complete


def _correlations(data: BacktestInput, views: SessionViews, first: int, stop: int) -> tuple[FloatArray, FloatArray]:
    window = data.config.constraints.correlation_window
    panel = data.panel

    key = ("correlations", window, first, stop)
    known: tuple[FloatArray, FloatArray] | None = views.remembered.get(key)
    if known is None:
        known = correlations_of_rows(panel.common_return, panel.common_lag, window, first, stop)
        views.remembered[key] = known
    return known


@compiled
def correlations_of_rows(
    returns: FloatArray, lag: IntegerArray, window: int, first: int, stop: int
) -> tuple[FloatArray, FloatArray]:
    """Pair correlations of rows [first, stop) and their average, largest and smallest; (c, n, n) and (c, 3)."""
    assets = returns.shape[1]
    correlations, summaries = np.empty((stop - first, assets, assets)), np.empty((stop - first, 3))
    for row in range(first, stop):
        found = pair_correlations(returns[: row + 1], lag, window)
        correlations[row - first] = found
        summaries[row - first] = summarise_correlations(found)
    return correlations, summaries

"""Precomputed market inputs: signals, correlations and plans, none of which depend on the book."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.compiled.inputs import factor_rows, form_of
from trading_lib.domain.errors import StrategyUnusableError
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.correlation import summarise_correlations, write_correlations
from trading_lib.domain.market.market_view import MarketView, SessionViews
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.config import StrategySettings
from trading_lib.strategies.loop_form import LoopForm, SessionPlan
from trading_lib.strategies.regime import regime_code
from trading_lib.strategies.registry import Sleeve
from trading_lib.strategies.signals import after_regime, signal_rules

Signals = tuple[NDArray[np.int8], NDArray[np.int8], FloatArray, BoolArray]


class MarketInputs(NamedTuple):
    """The inputs of c consecutive sessions that do not depend on the book, from row ``first`` on; s sleeves.

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
    stays, defensive, has_events
        Shape (s, c): of the `MonthPlan`; has_events where the plan is an event of the risk log.
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
    has_events: BoolArray


def market_inputs(
    data: SessionInput,
    views: SessionViews,
    sleeves: tuple[Sleeve, ...],
    first: int,
    stop: int,
    room: FloatArray | None = None,
) -> MarketInputs:
    """Compute the market inputs of rows [first, stop), cached for runs that share the views.

    Parameters
    ----------
    room
        Shape (c or more, n, n): buffer for correlations that are too many to be cached; None caches them.
    """
    regimes, codes, confidence, complete = _signals(data, views, first, stop)
    correlations, summaries = _correlations(data, views, first, stop, room)
    count, assets, many = stop - first, len(data.universe), len(sleeves)
    flags = [np.zeros((many, count), np.bool_) for _ in range(4)]
    masks = [np.zeros((many, count, assets), np.bool_) for _ in range(2)]
    inputs = MarketInputs(
        first, codes, confidence, complete, regimes, correlations, summaries,
        flags[0], np.zeros((many, count, assets)), masks[0], masks[1], flags[1], flags[2], flags[3],
    )  # fmt: skip
    month_ends = np.flatnonzero(data.panel.month_end[first:stop]).tolist()
    for number, sleeve in enumerate(sleeves):
        _plan_sleeve(inputs, number, form_of(sleeve), sleeve, views, month_ends)
    return inputs


def _plan_sleeve(
    inputs: MarketInputs, number: int, form: LoopForm, sleeve: Sleeve, views: SessionViews, month_ends: list[int]
) -> None:
    # Only the newest plan of each sleeve is kept: a sweep makes a thousand.
    key, count = ("plan", number), inputs.due.shape[1]
    segment = sleeve.strategy, inputs.first, count
    arrays: tuple[NDArray[Any], ...] = (
        inputs.due, inputs.shares, inputs.kept, inputs.defence, inputs.stays, inputs.defensive, inputs.has_events,
    )  # fmt: skip
    cached = views.remembered.get(key)
    if cached is None or cached[0] != segment:
        for step in month_ends if form.monthly else range(count):
            plan = _plan_of(form, views[inputs.first + step])
            if plan is None:
                continue
            inputs.due[number, step], inputs.shares[number, step] = True, plan.shares
            if plan.choice is not None:
                for array, value in zip(arrays[2:], plan.choice, strict=True):
                    array[number, step] = value
        views.remembered[key] = segment, [array[number] for array in arrays]
        return
    for array, values in zip(arrays, cached[1], strict=True):
        array[number] = values


def _plan_of(form: LoopForm, view: MarketView) -> SessionPlan | None:
    """Ask for the plan; an invalid answer becomes NaN, which hands the session to the slow path."""
    nonsense = SessionPlan(np.full(len(view.universe), np.nan))
    try:
        plan = form.plan(view)
    except StrategyUnusableError:
        raise
    except (Exception, SystemExit):  # whatever a user's strategy raises, the slow path reports it
        return nonsense
    if plan is None:
        return None
    sensible = getattr(plan.shares, "shape", None) == nonsense.shares.shape and plan.shares.dtype == np.float64
    return plan if sensible else nonsense


def _signals(data: SessionInput, views: SessionViews, first: int, stop: int) -> Signals:
    settings: StrategySettings = data.config.strategy
    panel, factors = data.panel, data.factors
    window = slice(first, stop)
    regime, signals = settings.regime, settings.signals
    # Only the newest settings of each segment are kept: a sweep tries a thousand.
    key, now = ("signals", first), (stop, regime, signals)
    cached = views.remembered.get(key)
    if cached is not None and cached[0] == now:
        computed: Signals = cached[1]
        return computed
    computed = signals_of_rows(
        factors.total_return_close[window],
        factor_rows(factors, "Momentum_60")[window],
        factor_rows(factors, "Volatility_60")[window],
        factor_rows(factors, "SMA_20")[window],
        factor_rows(factors, "SMA_50")[window],
        factor_rows(factors, "SMA_200")[window],
        panel.volatility_index[window],
        panel.volatility_index_age[window],
        data.universe.periods_per_year,
        (regime.max_age_sessions, regime.elevated, regime.high, regime.extreme),
        (signals.momentum_high, signals.momentum_low, signals.momentum_negative, signals.momentum_negative_high),
    )
    views.remembered[key] = now, computed
    return computed


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
) -> Signals:
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
        signals, trust, complete[t] = signal_rules(
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
        codes[t], confidence[t] = after_regime(signals, trust, regime)
    return regimes, codes, confidence, complete


def _correlations(
    data: SessionInput, views: SessionViews, first: int, stop: int, room: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    window = data.config.constraints.correlation_window
    panel = data.panel
    if room is not None:
        correlations = room[: stop - first]
        return correlations, write_correlations_of_rows(
            panel.common_return, panel.common_lag, window, first, correlations
        )
    key = ("correlations", window, first, stop)
    cached: tuple[FloatArray, FloatArray] | None = views.remembered.get(key)
    if cached is None:
        cached = correlations_of_rows(panel.common_return, panel.common_lag, window, first, stop)
        views.remembered[key] = cached
    return cached


@compiled
def correlations_of_rows(
    returns: FloatArray, lag: IntegerArray, window: int, first: int, stop: int
) -> tuple[FloatArray, FloatArray]:
    """Pair correlations of rows [first, stop) and their average, largest and smallest; (c, n, n) and (c, 3)."""
    assets = returns.shape[1]
    correlations = np.empty((stop - first, assets, assets))
    return correlations, write_correlations_of_rows(returns, lag, window, first, correlations)


@compiled
def write_correlations_of_rows(
    returns: FloatArray, lag: IntegerArray, window: int, first: int, correlations: FloatArray
) -> FloatArray:
    """Write the pair correlations of rows from ``first`` on into ``correlations`` and return their summaries."""
    summaries = np.empty((correlations.shape[0], 3))
    for step in range(correlations.shape[0]):
        write_correlations(returns[: first + step + 1], lag, window, correlations[step])
        summaries[step] = summarise_correlations(correlations[step])
    return summaries

"""Risk events beside those of levels, stops and reductions: floors, the re-entry ladder, regime, sleeves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import numpy as np

from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.decision.signals import RegimeReading
from trading_lib.domain.decision.sleeves import SleeveEvent
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.risk.config import CorrelationConfig, RiskConfig
from trading_lib.risk.levels.drawdown_kernels import regime_changes
from trading_lib.risk.levels.levels import LEVEL_ACTIONS, recovery_size
from trading_lib.risk.limits.pair_rules import pair_names, pair_values
from trading_lib.risk.memory import regime_label, regime_number

Events = tuple[RiskEvent, ...]
PAIR_KIND = "pair_correlation"
# The action on each pair that an event names: the constraints cap its combined weight.
CAP_PAIR = "REDUCE_COMBINED_CAP "


def floor_events(state: RiskState, floor: int, effective: int, reason: str, session: date) -> Events:
    """Report that the correlation floor rose or fell, whether or not it lies above the drawdown level."""
    if floor == state.floor:
        return ()
    text = reason or "the correlation floor no longer applies"
    actions = LEVEL_ACTIONS[floor] if floor > state.floor else ()
    return (RiskEvent(session, "floor", "", state.effective_level, effective, text, actions),)


def pair_events(
    before: BoolArray,
    after: BoolArray,
    correlations: FloatArray,
    symbols: tuple[str, ...],
    effective: int,
    session: date,
    config: CorrelationConfig,
) -> Events:
    """Report which pairs rose above the warning and which fell back, all in one event.

    Parameters
    ----------
    before, after
        Shape (n (n - 1) / 2,): of the session before and of this one; see `pair_rules.correlated_pairs`.
    correlations
        Shape (n, n).
    """
    changed = np.flatnonzero(before != after).tolist()
    if not changed:
        return ()
    names, values = pair_names(symbols), pair_values(correlations, changed)
    risen = [k for k in changed if after[k]]
    parts = []
    if risen:
        parts.append(f"pair correlation above {config.pair_warning:.2f}: {_figures(risen, names, values)}")
    if len(risen) < len(changed):
        fallen = [k for k in changed if not after[k]]
        parts.append(f"no longer above {config.pair_rearm:.2f}: {_figures(fallen, names, values)}")
    actions = ("WARNING", *(CAP_PAIR + names[k] for k in risen)) if risen else ()
    return (RiskEvent(session, PAIR_KIND, "", effective, effective, "; ".join(parts), actions),)


def pairs_of(event: RiskEvent) -> frozenset[str]:
    """Return the pairs that rose in an event of `pair_events`."""
    return _capped(event.actions)


@lru_cache(maxsize=1 << 12)
def _capped(actions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(action.removeprefix(CAP_PAIR) for action in actions if action.startswith(CAP_PAIR))


def _figures(pairs: list[int], names: tuple[str, ...], values: Mapping[int, float]) -> str:
    figures = ((names[k], values[k]) for k in pairs)
    return ", ".join(f"{name} {'unknown' if math.isnan(value) else format(value, '.3f')}" for name, value in figures)


def recovery_events(
    state: RiskState, recovery: int | None, effective: int, session: date, config: RiskConfig
) -> Events:
    """Report where the re-entry ladder begins, begins again, moves up and ends."""
    before = state.recovery_sessions
    if recovery == before or effective == 4:
        return ()
    size = recovery_size(recovery, config)
    if recovery is None:
        text = "the re-entry ladder reached full size"
    elif before is None:
        text = f"re-entry begins at {size:.0%} of normal size"
    elif recovery < before:
        text = f"a fresh breach restarts re-entry at {size:.0%} of normal size"
    elif size != recovery_size(before, config):
        text = f"re-entry moves up to {size:.0%} of normal size"
    else:
        return ()
    return (RiskEvent(session, "recovery", "", effective, effective, text),)


def regime_events(state: RiskState, reading: RegimeReading, effective: int, session: date) -> Events:
    """Report a change of the volatility regime, or that the first session had to assume it."""
    label = regime_label(reading)
    if not regime_changes(regime_number(state.regime), regime_number(label)):
        return ()
    value = (
        f"^VIX is {'missing' if reading.age < 0 else f'{reading.age} sessions old'}"
        if reading.abstained
        else f"^VIX {reading.volatility_index:.2f}"
    )
    text = f"{value}: the regime is {label}" + (f", before {state.regime}" if state.regime else "")
    return (RiskEvent(session, "regime", "", effective, effective, text),)


def sleeve_events(events: tuple[SleeveEvent, ...], effective: int, session: date) -> Events:
    """Sleeves' own events, e.g. a switch to defence, beside those of risk control."""
    return tuple(RiskEvent(session, e.kind, e.symbol, effective, effective, e.reason) for e in events)

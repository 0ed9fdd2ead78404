"""Where two runs differ, stage by stage. Output: `Difference`, with both values as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np

from trading_lib.domain.book.orders import Fill, Order
from trading_lib.domain.book.portfolio import Position
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import SessionOutcome

ABSENT = "-"


class Layer(StrEnum):
    """The stages at which a difference can show, in the order in which one depends on another."""

    DATA = "data"
    FACTOR = "factor"
    FILL = "fill"
    ACCOUNT = "account"
    REGIME = "regime"
    SIGNAL = "signal"
    SLEEVE = "sleeve"
    CONSTRAINT = "constraint"
    RISK = "risk"
    ORDER = "order"
    PRE_TRADE = "pre-trade"


SETTLEMENTS = "funding settlements"
# Of the bar that orders fill at: a 24/7 one may be complete only after the decision of its session.
OF_FILL_BAR = ("fill_low", "fill_high", "fill_volume")
# What of the data a decision cannot see: these reach the account only.
NOT_IN_VIEW = frozenset({"fill_open", *OF_FILL_BAR, "dividend", "split", "cash_rate", SETTLEMENTS})
_OF_DECISION = (Layer.ACCOUNT, Layer.REGIME, Layer.SIGNAL)
RESTS_ON: Mapping[Layer, tuple[Layer, ...]] = {
    Layer.DATA: (),
    Layer.FACTOR: (Layer.DATA,),
    Layer.FILL: (Layer.DATA,),
    Layer.ACCOUNT: (Layer.DATA, Layer.FILL),
    Layer.REGIME: (Layer.DATA,),
    Layer.SIGNAL: (Layer.DATA, Layer.FACTOR, Layer.REGIME),
    Layer.SLEEVE: (Layer.DATA, Layer.FACTOR, *_OF_DECISION),
    Layer.CONSTRAINT: (Layer.DATA, Layer.SLEEVE, Layer.ACCOUNT),
    Layer.RISK: (Layer.DATA, Layer.CONSTRAINT, *_OF_DECISION),
    Layer.ORDER: (Layer.DATA, Layer.RISK, *_OF_DECISION),
    Layer.PRE_TRADE: (Layer.DATA, Layer.RISK, Layer.ORDER),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two runs.

    Attributes
    ----------
    name
        The factor, the sleeve, the field.
    symbol
        "" when it concerns no single asset.
    full, known
        The value with the whole history and the one with what was known, as text.
    """

    layer: Layer
    name: str
    session: date
    symbol: str
    full: str
    known: str


def data_differences(full: SessionInput, truncated: SessionInput, row: int) -> Iterator[Difference]:
    """Compare panel and factors on every row up to ``row``: the first row and asset of each field that differs."""
    sessions, symbols = full.panel.sessions, full.universe.symbols
    if not np.array_equal(sessions[: row + 1], truncated.panel.sessions[: row + 1]):
        yield Difference(
            Layer.DATA, "sessions", sessions[row].item(), "", str(sessions[0]), str(truncated.panel.sessions[0])
        )
        return
    pairs = [
        *_pairs(full.panel, truncated.panel, [field.name for field in fields(full.panel) if field.name != "sessions"]),
        *_pairs(full.factors, truncated.factors, ["total_return_close", "price_factor"]),
    ]
    if full.funding is not None:
        names = ["rate", "annual_carry", "volatility_ratio", "age_hours"]
        pairs += _pairs(full.funding, truncated.funding, names, "funding ")
    values, others = full.factors.values, truncated.factors.values
    pairs += [(Layer.FACTOR, name, values[k], others[k]) for k, name in enumerate(full.factors.names)]
    yield from _settlement_differences(full, truncated, row)
    for layer, name, ours, theirs in pairs:
        ours, theirs = ours[: row + 1], theirs[: row + 1]
        if name in OF_FILL_BAR:
            ours, theirs = (_without_unfinished(values, full.panel.common_lag) for values in (ours, theirs))
        at = _first_unequal(ours, theirs)
        if at is not None:
            symbol = symbols[at[1]] if len(at) > 1 and len(symbols) == ours.shape[1] else ""
            yield Difference(layer, name, sessions[at[0]].item(), symbol, _text(ours[at]), _text(theirs[at]))


def _without_unfinished(values: FloatArray, lags: IntegerArray) -> FloatArray:
    """Leave out the newest bar of 24/7 instruments, which is not complete at the decision."""
    finished: FloatArray = values.copy()
    finished[-1, lags > 0] = np.nan
    return finished


def _settlement_differences(full: SessionInput, truncated: SessionInput, row: int) -> Iterator[Difference]:
    """Compare what was paid between decisions, up to the decision of ``row``."""
    ours, theirs = (data.funding.settlements if data.funding else () for data in (full, truncated))
    for day, ours_paid, theirs_paid in zip(full.panel.sessions[: row + 1].tolist(), ours, theirs, strict=False):
        if ours_paid != theirs_paid:
            yield Difference(Layer.DATA, SETTLEMENTS, day, "", *_differing(ours_paid, theirs_paid))
            return


def outcome_differences(
    full: SessionOutcome, truncated: SessionOutcome, symbols: tuple[str, ...]
) -> Iterator[Difference]:
    """Compare one session stage by stage, in the order of `Layer`."""
    day, ours, theirs = full.session, full.decision, truncated.decision

    def between(
        layer: Layer, name: str, full_value: Any, truncated_value: Any, symbol: str = ""
    ) -> Iterator[Difference]:
        if isinstance(full_value, np.ndarray):
            at = _first_unequal(full_value, np.asarray(truncated_value))
            if at is not None:
                yield Difference(layer, name, day, symbols[at[0]], _text(full_value[at]), _text(truncated_value[at]))
        elif full_value != truncated_value and repr(full_value) != repr(truncated_value):  # NaN is not equal to itself
            yield Difference(layer, name, day, symbol, *_differing(full_value, truncated_value))

    yield from between(Layer.FILL, "fills at the opening", _fills(full.fills), _fills(truncated.fills))
    yield from between(Layer.FILL, "cancelled orders", full.cancelled, truncated.cancelled)
    for field in fields(full.end_of_day.portfolio):
        full_value, truncated_value = (
            getattr(outcome.end_of_day.portfolio, field.name) for outcome in (full, truncated)
        )
        yield from between(Layer.ACCOUNT, field.name, full_value, truncated_value)
    yield from between(Layer.REGIME, "regime", _all(ours.regime), _all(theirs.regime))
    for name in ("codes", "unfiltered_codes", "confidence", "complete"):
        yield from between(Layer.SIGNAL, name, getattr(ours.signals, name), getattr(theirs.signals, name))
    for name, record in ours.targets.sleeves.items():
        other_record = theirs.targets.sleeves[name]
        faults = (record.target.fault, other_record.target.fault)
        yield from between(Layer.SLEEVE, name, *(f"failed ({fault})" if fault else "decided" for fault in faults))
        yield from between(Layer.SLEEVE, name, record.target.weights, other_record.target.weights)
        yield from between(Layer.SLEEVE, name, dict(record.target.hedges), dict(other_record.target.hedges))
        yield from between(Layer.SLEEVE, name, dict(record.target.memory), dict(other_record.target.memory))
        yield from between(Layer.SLEEVE, name, record.target.events, other_record.target.events)
    for name in ("wanted", "weights", "correlations", "clips"):
        yield from between(Layer.CONSTRAINT, name, getattr(ours.targets, name), getattr(theirs.targets, name))
    for field in fields(ours.assessment):
        yield from between(
            Layer.RISK, field.name, getattr(ours.assessment, field.name), getattr(theirs.assessment, field.name)
        )
    yield from between(Layer.ORDER, "orders", _orders(ours.batch.orders), _orders(theirs.batch.orders))
    yield from between(Layer.ORDER, "held back", ours.batch.skipped, theirs.batch.skipped)
    yield from between(Layer.PRE_TRADE, "denied orders", _denied(full), _denied(truncated))


def _pairs(left: Any, right: Any, names: list[str], prefix: str = "") -> list[tuple[Layer, str, Any, Any]]:
    """Arrays of both sides with one row per session and the assets or venues on the last axis."""
    sessions = len(left.sessions) if hasattr(left, "sessions") else len(getattr(left, names[0]))
    pairs = [(Layer.DATA, prefix + name, getattr(left, name), getattr(right, name)) for name in names]
    return [pair for pair in pairs if isinstance(pair[2], np.ndarray) and pair[2].shape[:1] == (sessions,)]


def _first_unequal(left: np.ndarray, right: np.ndarray) -> tuple[int, ...] | None:
    if left.shape != right.shape:
        return (0,) * left.ndim
    unequal = left != right
    if left.dtype.kind in "fM":  # a missing number, or a missing day
        unequal &= ~(np.isnan(left) & np.isnan(right))
    if not unequal.any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(unequal)), unequal.shape))


def _all(item: Any) -> tuple[Any, ...]:
    return tuple(getattr(item, field.name) for field in fields(item))


def _fills(fills: tuple[Fill, ...]) -> list[str]:
    return [f"{f.side} {f.quantity} {f.symbol} at {f.price} ({f.filled_at:%Y-%m-%d %H:%M})" for f in fills]


def _orders(orders: tuple[Order, ...]) -> list[str]:
    return [f"{o.side} {o.quantity} {o.symbol} at {o.expected_price}: {o.reason}" for o in orders]


def _denied(outcome: SessionOutcome) -> list[str]:
    return [f"{order.side} {order.quantity} {order.symbol}: {reason}" for order, reason in outcome.denied]


def _differing(left: Any, right: Any) -> tuple[str, str]:
    """Both collections as text, each without what the other has too."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        keys = [key for key in {**left, **right} if repr(left.get(key)) != repr(right.get(key))]
        ours, theirs = ({key: side[key] for key in keys if key in side} for side in (left, right))
        return _text(ours), _text(theirs)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return _text([item for item in left if item not in right]), _text([item for item in right if item not in left])
    return _text(left), _text(right)


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{float(value):.10g}"
    if isinstance(value, list | tuple):
        return "; ".join(_text(item) for item in value) or ABSENT
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_text(item)}" for key, item in value.items()) or ABSENT
    if isinstance(value, Position):
        return f"{value.quantity} at {value.average_cost:.4f}"
    return str(getattr(value, "reason", value))

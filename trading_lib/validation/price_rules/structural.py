"""Structural validation. Input: `Bars`, `Universe`, as-of. Output: `ValidationReport`.

Every rule looks at one source's own bars (docs/specification.md#validation); whether another source agrees is a
later stage's question.
Each rule is a boolean array over the bars, so a clean history costs a few array operations and no Python loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, BoolArray, FloatArray
from trading_lib.domain.market.sessions import exchange_sessions, require_aware
from trading_lib.domain.money import HIGHEST_PRICE
from trading_lib.validation.report import Finding, Severity, ValidationReport

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class StructuralRules:
    """Thresholds of the structural rules.

    Attributes
    ----------
    price_jump
        Largest total return between consecutive bars (fraction) that passes without a warning.
    range_tolerance
        Relative slack when prices are compared with the bar's range: vendors store rounded floats.
    """

    price_jump: float = 0.5
    range_tolerance: float = 1e-6


@dataclass(frozen=True, slots=True)
class _Breach:
    """One rule over all bars: where it is broken, the offending numbers and the words for a finding.

    ``drops`` marks a WARNING whose bar is left out all the same, because nothing is lost with it.
    """

    rule: str
    severity: Severity
    broken: BoolArray
    value: FloatArray
    words: str
    drops: bool = False


def validate_bars(
    bars: Bars,
    universe: Universe,
    as_of: datetime,
    rules: StructuralRules | None = None,
    foreign: bool = False,
) -> ValidationReport:
    """Split bars into accepted and quarantined ones and say why.

    Parameters
    ----------
    bars
        Of symbols in ``universe`` and ^VIX; another symbol raises `UnknownSymbolError`. For ^VIX only the close
        counts: vendors leave its other prices and its volume empty.
    as_of
        Timezone-aware; bars that become known later are ``future_bar``.
    foreign
        Whether symbols outside the universe are let through. Nobody knows their calendar, so no day is wrong for them.

    Notes
    -----
    A price jump is a WARNING: one source alone cannot tell a bad tick from a bad day. It is measured on the total
    return (splits and dividends included) between consecutive accepted bars, and not at all for ^VIX, whose close
    has really doubled within a day. A NaN volume means "unknown" and passes; every copy of a (symbol, date) that
    disagrees with its twin is quarantined, since nothing says which one is right. Two kinds of rows are left out with
    a WARNING, for nobody needs them: a bar repeated word for word, and a row of ^VIX on a holiday, which vendors fill
    with nothing or with the value of the day before.
    """
    limits = rules or StructuralRules()
    frame = bars.frame
    moment = require_aware(as_of, "as_of")
    off_session = _off_session(frame, universe, foreign)
    index_on_holiday = off_session.broken & (frame["symbol"] == VOLATILITY_INDEX).to_numpy(dtype=bool)
    breaches = [
        *_price_breaches(frame, limits),
        _negative_volume(frame),
        *_duplicates(frame),
        off_session,
        _future(frame, moment),
    ]
    rejected = np.zeros(len(frame), dtype=bool)
    for breach in breaches:
        if breach.severity is Severity.ERROR or breach.drops:
            rejected |= breach.broken
    breaches.append(_price_jumps(frame, rejected, limits))
    return ValidationReport(
        accepted=bars if not rejected.any() else Bars(frame[~rejected].reset_index(drop=True)),
        quarantined=Bars(frame[rejected].reset_index(drop=True)),
        findings=_findings(frame, breaches, index_on_holiday),
    )


def _price_breaches(frame: pd.DataFrame, limits: StructuralRules) -> list[_Breach]:
    index = (frame["symbol"] == VOLATILITY_INDEX).to_numpy(dtype=bool)
    prices = frame[list(PRICES)].to_numpy(dtype=np.float64, copy=True)
    prices[index, :3] = prices[index, 3:]
    finite = np.isfinite(prices)
    # Comparisons with NaN are False, so a bar with a missing price breaks only the rule about missing prices.
    prices[~finite] = np.nan
    opening, high, low, close = prices.T
    slack = limits.range_tolerance * np.abs(close)
    missing = np.full(len(frame), np.nan)
    close_outside = (close > high + slack) | (close < low - slack)
    open_outside = (opening > high + slack) | (opening < low - slack)
    lowest, highest = np.fmin.reduce(prices, axis=1), np.fmax.reduce(prices, axis=1)
    beyond = f"has the price {{value:g}}, above the {HIGHEST_PRICE:,.0f} that books can hold"
    error, warning = Severity.ERROR, Severity.WARNING
    return [
        _Breach("not_finite_price", error, ~finite.all(axis=1), missing, "has a price that is missing or infinite"),
        _Breach("non_positive_price", error, lowest <= 0, lowest, "has the price {value:g}, which is not positive"),
        _Breach("price_too_high", error, highest > HIGHEST_PRICE, highest, beyond),
        _Breach("high_below_low", error, high < low - slack, high, "has its high {value:g} below its low"),
        _Breach("close_outside_range", error, close_outside, close, "has its close {value:g} outside its low and high"),
        _Breach(
            "open_outside_range", warning, open_outside, opening, "has its open {value:g} outside its low and high"
        ),
    ]


def _negative_volume(frame: pd.DataFrame) -> _Breach:
    volume = frame["volume"].to_numpy(dtype=np.float64)
    broken = (volume < 0) & (frame["symbol"] != VOLATILITY_INDEX).to_numpy(dtype=bool)
    return _Breach("negative_volume", Severity.ERROR, broken, volume, "has the volume {value:g}")


def _duplicates(frame: pd.DataFrame) -> list[_Breach]:
    key = ["symbol", "date"]
    # A bar repeated word for word loses nothing: its first copy stays. Copies that differ all go.
    repeated = frame.duplicated([*key, *PRICES, "volume"], keep="first").to_numpy(dtype=bool)
    differing = np.zeros(len(frame), dtype=bool)
    differing[~repeated] = frame[~repeated].duplicated(key, keep=False).to_numpy(dtype=bool)
    missing = np.full(len(frame), np.nan)
    rule, again = "duplicate_bar", "is there again, word for word; the repetition is left out"
    return [
        _Breach(rule, Severity.ERROR, differing, missing, "is there more than once, with different numbers"),
        _Breach(rule, Severity.WARNING, repeated, missing, again, drops=True),
    ]


def _off_session(frame: pd.DataFrame, universe: Universe, foreign: bool) -> _Breach:
    on_exchange = {
        symbol: calendar_of(symbol, universe, foreign) is TradingCalendar.XNYS for symbol in frame["symbol"].unique()
    }
    sessions = exchange_sessions().sessions
    days = frame["date"].to_numpy().astype("datetime64[D]")
    position = np.searchsorted(sessions, days).clip(max=len(sessions) - 1)
    broken = (sessions[position] != days) & frame["symbol"].map(on_exchange).to_numpy(dtype=bool)
    missing = np.full(len(frame), np.nan)
    return _Breach(
        "bar_on_non_session", Severity.ERROR, broken, missing, "is on a day the New York Stock Exchange was closed"
    )


def calendar_of(symbol: str, universe: Universe, foreign: bool = False) -> TradingCalendar | None:
    """Calendar of a symbol; ^VIX has the exchange's. Outside the universe: None where ``foreign``, else an error."""
    if symbol == VOLATILITY_INDEX:
        return TradingCalendar.XNYS
    if foreign and symbol not in universe.positions:
        return None
    return universe[symbol].calendar


def _future(frame: pd.DataFrame, moment: datetime) -> _Breach:
    broken = (frame["available_at"] > pd.Timestamp(moment)).to_numpy(dtype=bool)
    missing = np.full(len(frame), np.nan)
    return _Breach("future_bar", Severity.ERROR, broken, missing, f"is not complete before {moment:%Y-%m-%d %H:%M} UTC")


def _price_jumps(frame: pd.DataFrame, rejected: BoolArray, limits: StructuralRules) -> _Breach:
    broken = np.zeros(len(frame), dtype=bool)
    change = np.full(len(frame), np.nan)
    kept = np.flatnonzero(~rejected & (frame["symbol"] != VOLATILITY_INDEX).to_numpy(dtype=bool))
    if len(kept) > 1:
        symbol = pd.factorize(frame["symbol"])[0][kept]
        close = frame["close"].to_numpy(dtype=np.float64)[kept]
        cash = np.nan_to_num(frame["dividend"].to_numpy(dtype=np.float64)[kept])
        split = np.nan_to_num(frame["split"].to_numpy(dtype=np.float64)[kept], nan=1.0)
        total_return = (close[1:] + cash[1:]) * split[1:] / close[:-1] - 1
        change[kept[1:]] = np.where(symbol[1:] == symbol[:-1], total_return, np.nan)
        broken = np.abs(change) > limits.price_jump
    message = "moved {value:+.1%} since the bar before, which no split or dividend explains"
    return _Breach("price_jump", Severity.WARNING, broken, change, message)


def _findings(frame: pd.DataFrame, breaches: list[_Breach], excused: BoolArray) -> tuple[Finding, ...]:
    findings = []
    for breach in breaches:
        for row in np.flatnonzero(breach.broken):
            symbol = str(frame["symbol"].iloc[row])
            session = frame["date"].iloc[row].date()
            number = float(breach.value[row])
            value = number if np.isfinite(number) else None
            message = f"{symbol} {session}: the bar {breach.words.format(value=number)}"
            severity = Severity.WARNING if excused[row] else breach.severity
            findings.append(Finding(symbol, session, breach.rule, severity, value, message))
    return tuple(sorted(findings, key=lambda finding: (finding.symbol, finding.session, finding.rule)))

"""Coverage: missing, stray and late bars. Input: `PriceHistory` and its calendar. Output: findings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np

from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.prices import DateArray
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.price_history import PriceHistory
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

ONE_DAY = np.timedelta64(1, "D")


def expected_days(calendar: TradingCalendar, first: np.datetime64, last: np.datetime64) -> DateArray:
    """Days of the calendar from ``first`` to ``last``, both included."""
    if calendar is TradingCalendar.ALWAYS:
        return np.arange(first, last + ONE_DAY, dtype="datetime64[D]")
    return exchange_sessions().between(first.astype("datetime64[D]").item(), last.astype("datetime64[D]").item())


def stray_bars(history: PriceHistory, calendar: TradingCalendar, rules: QualityRules) -> int:
    """Count the bars in front that do not belong to the series: a few, then a hole of many sessions."""
    few = min(rules.stray_bars, len(history) - 1)
    for count in range(few, 0, -1):
        hole = len(expected_days(calendar, history.days[count - 1], history.days[count])) - 2
        if hole > rules.stray_gap_sessions and len(history) - count > count:
            return count
    return 0


def coverage_findings(history: PriceHistory, calendar: TradingCalendar, rules: QualityRules) -> list[Finding]:
    """Stray bars in front (ERROR), holes (WARNING), too many missing sessions (ERROR), sessions without volume.

    The days from the first to the last bar count: an asset is absent before it existed, and that is no defect.
    """
    if history.intraday or history.several_days or not len(history):
        return []
    stray = stray_bars(history, calendar, rules)
    findings = [_stray(history, row, stray) for row in range(stray)]
    days = history.days[stray:]
    expected = expected_days(calendar, days[0], days[-1])
    missing = np.setdiff1d(expected, days)
    findings += _holes(history.symbol, missing, expected, rules)
    share = len(missing) / len(expected) if len(expected) else 0.0
    if share > rules.missing_share and len(expected) >= rules.coverage_sessions:
        last = days[-1].item()
        text = f"{len(missing)} of {len(expected)} sessions since {days[0]} are missing ({share:.1%})"
        message = f"{history.symbol} {last}: {text}"
        findings.append(Finding(history.symbol, last, "missing_sessions", Severity.ERROR, share, message))
    return findings + _without_volume(history)


def stale_findings(
    histories: Mapping[str, PriceHistory], calendars: Mapping[str, TradingCalendar | None], rules: QualityRules
) -> list[Finding]:
    """Symbols that end before at least half of the exchange's do: their newest bar is an old one.

    A symbol that trades always may end a day earlier, for its last day may not be complete yet.
    """
    ends = {symbol: history.days[-1].item() for symbol, history in histories.items() if len(history)}
    exchange = sorted(ends[symbol] for symbol in ends if calendars[symbol] is TradingCalendar.XNYS)
    if len(exchange) < 2:
        return []
    usual = exchange[len(exchange) // 2]
    findings = []
    for symbol, last in ends.items():
        calendar = calendars[symbol]
        late = len(exchange_sessions().between(last + timedelta(days=1), usual))
        if calendar is not None and late > (calendar is TradingCalendar.ALWAYS):
            findings.append(stale_finding(symbol, last, usual, late, rules))
    return findings


def stale_finding(symbol: str, last: date, expected: date, late: int, rules: QualityRules) -> Finding:
    """Report a newest bar that is ``late`` sessions old."""
    severity = Severity.ERROR if late >= rules.stale_sessions else Severity.WARNING
    message = f"the newest bar is {late} session{'s' * (late > 1)} older than {expected}"
    return Finding(symbol, last, "stale_last_bar", severity, float(late), f"{symbol} {last}: {message}")


def _stray(history: PriceHistory, row: int, count: int) -> Finding:
    session = history.days[row].item()
    lead = int((history.days[count] - history.days[row]) / ONE_DAY)
    message = f"a stray bar {lead} days before the series starts on {history.days[count]}"
    return Finding(
        history.symbol, session, "stray_bar", Severity.ERROR, float(lead), f"{history.symbol} {session}: {message}"
    )


def _holes(symbol: str, missing: DateArray, expected: DateArray, rules: QualityRules) -> list[Finding]:
    if not len(missing):
        return []
    position = np.searchsorted(expected, missing)
    runs = np.split(np.arange(len(missing)), np.flatnonzero(np.diff(position) > 1) + 1)
    findings = []
    for run in runs:
        first = missing[run[0]].item()
        if len(run) >= rules.gap_sessions:
            message = f"no bar for {len(run)} sessions, to {missing[run[-1]]}"
            findings.append(
                Finding(symbol, first, "gap", Severity.WARNING, float(len(run)), f"{symbol} {first}: {message}")
            )
            continue
        for at in run:
            day = missing[at].item()
            findings.append(
                Finding(symbol, day, "missing_bar", Severity.WARNING, None, f"{symbol} {day}: there is no bar")
            )
    return findings


def _without_volume(history: PriceHistory) -> list[Finding]:
    volumes = history.volume[np.isfinite(history.volume)]
    if not len(volumes) or np.median(volumes) <= 0:
        return []
    return [
        Finding(
            history.symbol,
            history.days[row].item(),
            "zero_volume",
            Severity.WARNING,
            0.0,
            f"{history.symbol} {history.days[row]}: nothing was traded on a trading day",
        )
        for row in np.flatnonzero(history.untraded)
    ]

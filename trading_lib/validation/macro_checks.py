"""Rules for data other than prices: macro series, funding settlements, headlines. Output: findings.

All are warnings: nothing is traded on these directly, and a missing observation makes its factor abstain.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.report import Finding, Severity

# Published for days on which the index's market is open; a value on another day is of another kind (extended hours).
EXCHANGE_SERIES = ("VIXCLS", "SP500")
EXACT_SECONDS = 60
DAY = np.timedelta64(1, "D")
MONTHLY_SPACING = (27, 32)
EARLIEST_NEWS = 1900


def macro_findings(frame: pd.DataFrame, dataset: str) -> list[Finding]:
    """Judge macro observations: columns series, date and value (NaN: the agency published none).

    Rules: ``repeated_observation``, ``observation_on_holiday`` (exchange series only), ``missing_observation`` (a
    month absent, or empty, inside a monthly series).
    """
    findings: list[Finding] = []
    for name, rows in frame.sort_values(["series", "date"], kind="stable").groupby("series", sort=True):
        series = str(name)
        days = rows["date"].to_numpy().astype("datetime64[D]")
        values = rows["value"].to_numpy(dtype=np.float64)
        for row in np.flatnonzero(days[1:] == days[:-1]) + 1:
            findings.append(_warn(series, days[row], "repeated_observation", values[row], "is there twice", dataset))
        finite = np.isfinite(values)
        if series in EXCHANGE_SERIES:
            closed = finite & ~np.isin(days, exchange_sessions().sessions) & (days >= exchange_sessions().sessions[0])
            message = "has a value although the New York Stock Exchange was closed"
            findings += [_warn(series, days[row], "observation_on_holiday", values[row], message, dataset)
                      for row in np.flatnonzero(closed)]  # fmt: skip
        findings += [
            _warn(series, day, "missing_observation", None, "has no value inside a monthly series", dataset)
            for day in _missing_months(np.unique(days[finite]))
        ]
    return findings


def _missing_months(days: np.ndarray) -> np.ndarray:
    if len(days) < 3 or not MONTHLY_SPACING[0] <= np.median(np.diff(days) / DAY) <= MONTHLY_SPACING[1]:
        return np.empty(0, "datetime64[D]")
    months = days.astype("datetime64[M]")
    expected = np.arange(months[0], months[-1] + 1, dtype="datetime64[M]")
    return np.setdiff1d(expected, months).astype("datetime64[D]")


def funding_findings(frame: pd.DataFrame, dataset: str) -> list[Finding]:
    """Judge funding settlements: columns exchange, symbol, time (UTC) and rate.

    Rules: ``off_grid_settlement`` (not on the contract's own grid of hours), ``funding_gap`` (days without any; value:
    whole days), ``not_finite_rate``. The grid is what most of a contract's settlements keep to: 8, 4 or 1 hours.
    """
    findings: list[Finding] = []
    for (exchange, contract), rows in frame.sort_values("time").groupby(["exchange", "symbol"], sort=True):
        name = f"{contract}@{exchange}"
        times = rows["time"].to_numpy().astype("datetime64[s]")
        rates = rows["rate"].to_numpy(dtype=np.float64)
        steps = np.diff(times) / np.timedelta64(1, "s")
        if not len(steps):
            continue
        grid = _grid_seconds(float(np.median(steps)))
        seconds = times.astype(np.int64) % grid
        # Venues settle every eight hours, but not all at 00:00: the usual minute of the grid is the venue's own.
        minutes, counts = np.unique(np.round(seconds / 60), return_counts=True)
        apart = (seconds - 60 * minutes[counts.argmax()]) % grid
        off = np.minimum(apart, grid - apart) > EXACT_SECONDS
        findings += [
            _warn(name, times[row].astype("datetime64[D]"), "off_grid_settlement", float(apart[row] / 3600),
                  f"was settled at {times[row]} UTC, off its {grid // 3600}-hour grid", dataset)
            for row in np.flatnonzero(off)
        ]  # fmt: skip
        for row in np.flatnonzero(steps > 86_400 + EXACT_SECONDS):
            gap = float(steps[row] / 86_400)
            message = f"has no settlement for {gap:.1f} days from {times[row]} UTC"
            findings.append(_warn(name, times[row].astype("datetime64[D]") + DAY, "funding_gap", gap, message, dataset))
        findings += [
            _warn(name, times[row].astype("datetime64[D]"), "not_finite_rate", None, "has no rate", dataset)
            for row in np.flatnonzero(~np.isfinite(rates))
        ]
    return findings


def _grid_seconds(median_step: float) -> int:
    hours = min((1, 2, 4, 8), key=lambda hour: abs(hour * 3600 - median_step))
    return hours * 3600


def news_findings(texts: pd.Series, dataset: str, newest: date) -> list[Finding]:
    """Judge written dates of headlines: rule ``impossible_date`` for a year before news or after ``newest``.

    Only ISO dates (YYYY-MM-DD...) are judged; ``session`` is ``newest`` because the date itself means nothing.
    """
    written = texts.astype("str")
    years = pd.to_numeric(written.str.extract(r"^(\d{4})-\d{2}-\d{2}", expand=False), errors="coerce")
    impossible = ((years < EARLIEST_NEWS) | (years > newest.year)).to_numpy(dtype=bool)
    return [
        Finding("news", newest, "impossible_date", Severity.WARNING, float(row + 1),
                f"row {row + 1} is dated {written.iloc[row]!r}", dataset)
        for row in np.flatnonzero(impossible)
    ]  # fmt: skip


def _warn(name: str, day: np.datetime64, rule: str, value: float | None, message: str, dataset: str) -> Finding:
    session = day.astype("datetime64[D]").item()
    number = None if value is None or not np.isfinite(value) else float(value)
    return Finding(name, session, rule, Severity.WARNING, number, f"{name} {session}: {message}", dataset)

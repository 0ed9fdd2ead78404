"""Audits of the decision core on a user's own data: load raw history, audit, and say what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from trading_lib.backtest.engine import BacktestInput, window_rows
from trading_lib.backtest.findings import Finding, LookaheadReport
from trading_lib.backtest.lookahead import DEFAULT_CUTS, audit_lookahead
from trading_lib.backtest.raw_history import BARS, MACRO, OPENED, RawHistory
from trading_lib.backtest.warm_up import WarmUpReport, audit_warm_up
from trading_lib.domain.errors import InputError
from trading_lib.domain.instruments import TradingCalendar
from trading_lib.domain.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.domain.sessions import FIRST_SESSION
from trading_lib.validation.structural import validate_bars
from trading_lib.workflows.backtesting import backtest_input, code_version
from trading_lib.workflows.ingestion import newest_session
from trading_lib.workflows.market import build_market
from trading_lib.workflows.settings import Settings
from trading_lib.workflows.source_choice import offline_source, source_kind

Progress = Callable[[str], None]
Report = dict[str, Any]

# A year before the window gives every factor its history.
YEAR = 252


@dataclass(frozen=True, slots=True)
class AuditInput:
    """Raw observations of a source and the window to audit."""

    history: RawHistory
    source: str
    first: date
    last: date


def lookahead(
    settings: Settings,
    data: Path | None = None,
    first: date | None = None,
    last: date | None = None,
    cuts: int = DEFAULT_CUTS,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> Report:
    """Audit for lookahead; see `audit_lookahead`. Without a folder the simulated market is audited.

    Raises
    ------
    InputError
        When the window does not fit the data, or there is nothing to cut.
    """
    if cuts < 1:
        raise InputError(f"{cuts} cuts compare nothing", "ask for 1 or more")
    loaded = load_history(settings, data, first, last)
    found = audit_lookahead(
        loaded.history,
        market_builder(settings),
        loaded.first,
        loaded.last,
        cuts=cuts,
        seed=seed,
        progress=progress,
    )
    return _named(settings, loaded) | _lookahead_report(found, seed)


def warm_up(
    settings: Settings,
    data: Path | None = None,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda line: None,
) -> Report:
    """Measure how much history everything needs; see `audit_warm_up`."""
    loaded = load_history(settings, data, first, last)
    found = audit_warm_up(loaded.history, market_builder(settings), loaded.first, loaded.last, progress=progress)
    return _named(settings, loaded) | _warm_up_report(found)


def load_history(settings: Settings, data: Path | None, first: date | None, last: date | None) -> AuditInput:
    """Read what a source delivers, unvalidated; the window defaults to all but the first year."""
    kind = source_kind(None, data)
    end = last or newest_session(kind, data, settings)
    if first and first > end:
        raise InputError(f"the window {first} to {end} is inverted", "swap the two dates")
    universe, now = settings.configuration.universe, settings.clock()
    source = offline_source(kind, data, settings)
    bars = source.bars([*universe.symbols, VOLATILITY_INDEX], FIRST_SESSION, end, now).bars
    macro = source.macro(FIRST_SESSION, end, now)
    always_open = tuple(i.symbol for i in universe if i.calendar is TradingCalendar.ALWAYS)
    history = RawHistory({BARS: bars.frame, MACRO: macro.frame}, always_open)
    full = market_builder(settings)(history, end)
    sessions = full.panel.sessions
    begin: date = first or sessions[min(YEAR, len(sessions) // 2)].item()
    if len(window_rows(full.panel, settings.calendar, begin, end)) < 2:
        raise InputError(f"from {begin} to {end} there is one session only", "choose a longer window")
    return AuditInput(history, full.panel.source, begin, end)


def market_builder(settings: Settings) -> Callable[[RawHistory, date], BacktestInput]:
    """Return the way from raw observations to a run: validation, panel, adjustment, factors."""
    universe, calendar, now = settings.configuration.universe, settings.calendar, settings.clock()

    def build(history: RawHistory, last: date) -> BacktestInput:
        bars = _accepted(history, now, settings)
        return backtest_input(
            settings, build_market(bars, MacroSeries(history.frames[MACRO]), universe, calendar, last)
        )

    return build


def _accepted(history: RawHistory, now: datetime, settings: Settings) -> Bars:
    accepted = validate_bars(Bars(history.frames[BARS]), settings.configuration.universe, now).accepted
    opened = history.frames.get(OPENED)
    if opened is None or opened.empty:
        return accepted
    return Bars.from_frame(pd.concat([accepted.frame, opened]))


def _named(settings: Settings, loaded: AuditInput) -> Report:
    return {
        "data_source": loaded.source,
        "config_hash": settings.configuration.config_hash,
        "code_version": code_version(),
    }


def _lookahead_report(found: LookaheadReport, seed: int) -> Report:
    return {
        "from": found.first.isoformat(),
        "to": found.last.isoformat(),
        "sessions": found.sessions,
        "seed": seed,
        "cuts": [day.isoformat() for day in found.cuts],
        "complete_runs": found.complete_runs,
        "factors": list(found.factors),
        "sleeves": list(found.sleeves),
        "sleeve_faults": dict(found.sleeve_faults),
        "fills_checked": found.fills_checked,
        "clean": not found.findings,
        "findings": [_finding(finding) for finding in found.findings],
    }


def _finding(finding: Finding) -> Report:
    difference = finding.difference
    return {
        "culprit": finding.origin,
        "layer": difference.layer.value,
        "name": difference.name,
        "session": difference.session.isoformat(),
        "symbol": difference.symbol,
        "full": difference.full,
        "known": difference.known,
        "found_by": finding.check.value,
        "cut": finding.cut.isoformat(),
        "cuts": finding.times,
    }


def _warm_up_report(found: WarmUpReport) -> Report:
    return {
        "from": found.first.isoformat(),
        "to": found.last.isoformat(),
        "beginnings": [day.isoformat() for day in found.beginnings],
        "horizon": found.horizon,
        "rows": [asdict(row) for row in found.rows],
        "recommended_sessions": found.recommended,
    }

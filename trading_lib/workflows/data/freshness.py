"""How fresh, how complete and how often revised the stored market data is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np

from trading_lib.adapters.sources.registry import stored_name
from trading_lib.adapters.stores.market.coverage import (
    StoredDays,
    last_revisions,
    stored_bars,
    stored_series,
    stored_sources,
)
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.domain.market.sessions import FIRST_SESSION
from trading_lib.market_data.availability.completeness import Completeness, compare
from trading_lib.market_data.availability.expected_bars import due_dates
from trading_lib.market_data.availability.release_calendar import macro_available_at
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.source_order import SourceOrder, source_order
from trading_lib.workflows.setup.settings import Settings, load_settings

# Observations from which the rhythm of a macro series is read.
RHYTHM = 12


def data_report(source: str | None = None, settings: Settings | None = None) -> dict[str, Any]:
    """Report on every symbol and macro series of a source.

    Parameters
    ----------
    source
        As stored ("files:market-data", "chain", ...); by default the only one there is, or the chain.

    Returns
    -------
    ``symbols``: first and newest day, days behind the calendar, gaps since the first day, days missing before it
    since inception, revisions. ``series``: newest observation, whether the next one is overdue, revisions.
    ``problems``: one line per symbol or series that is behind or has gaps, and per symbol never delivered.

    Raises
    ------
    InputError
        When nothing of the source is stored.
    """
    active = settings or load_settings()
    engine, now, universe = active.engine(), active.clock(), active.configuration.universe
    order = source_order(universe, active.configuration.sources, stored_name)
    name, members = _chosen(stored_name(source) if source else None, stored_sources(engine), order)
    revised = last_revisions(engine, members)
    bars = {stored.name: stored for stored in stored_bars(engine, members)}
    symbols, problems = {}, []
    for symbol in (*universe.symbols, VOLATILITY_INDEX):
        if symbol not in bars:
            problems.append(f"{symbol}: nothing is stored")
            continue
        completeness = compare(bars[symbol].days, due_dates(symbol, universe, FIRST_SESSION, now.date(), now))
        # Without a stated inception, the calendar begins where the data does.
        before = completeness.before_first if _has_inception(symbol, active) else 0
        symbols[symbol] = _symbol_lines(bars[symbol], completeness, before, revised.get(symbol))
        problems += _symbol_problems(symbol, completeness)
    series = {stored.name: _series_lines(stored, now) for stored in stored_series(engine, members)}
    problems += [f"{name}: the next value is overdue" for name, lines in series.items() if lines["overdue"]]
    return {"source": name, "as_of": now.isoformat(), "symbols": symbols, "series": series, "problems": problems}


def _chosen(source: str | None, stored: tuple[str, ...], order: SourceOrder) -> tuple[str, list[str]]:
    chain = [name for name in stored if name in {*order.sources, *order.macro}]
    chosen = source or (stored[0] if len(stored) == 1 else CHAIN if chain else None)
    if chosen is None:
        have = f"choose one with --source: {', '.join(stored)}" if stored else "run `trading ingest` first"
        raise InputError("it is not clear which source to report on" if stored else "no market data is stored", have)
    members = chain if chosen == CHAIN else [name for name in stored if name == chosen]
    if not members:
        raise InputError(f"nothing of source {chosen!r} is stored", f"there is {', '.join(stored) or 'nothing'}")
    return chosen, members


def _has_inception(symbol: str, settings: Settings) -> bool:
    universe = settings.configuration.universe
    return symbol in universe.positions and universe[symbol].inception is not None


def _symbol_lines(
    stored: StoredDays, completeness: Completeness, before: int, revised: datetime | None
) -> dict[str, Any]:
    return {
        "sources": list(stored.sources),
        "first": completeness.first.isoformat(),
        "newest": completeness.newest.isoformat(),
        "behind": completeness.behind,
        "missing_since_inception": before,
        "missing": completeness.missing,
        "gaps": [{"from": str(gap.first), "to": str(gap.last), "days": gap.days} for gap in completeness.gaps],
        "unexpected_days": completeness.unexpected,
        "revisions": stored.revisions,
        "last_revised": revised.isoformat() if revised else None,
    }


def _symbol_problems(symbol: str, completeness: Completeness) -> list[str]:
    problems = []
    if completeness.behind:
        problems.append(f"{symbol}: {completeness.behind} days behind, the newest bar is of {completeness.newest}")
    if completeness.gaps:
        longest = max(completeness.gaps, key=lambda gap: gap.days)
        problems.append(
            f"{symbol}: {completeness.missing} days missing in {len(completeness.gaps)} gaps, the longest"
            f" {longest.first} to {longest.last}"
        )
    return problems


def _series_lines(stored: StoredDays, now: datetime) -> dict[str, Any]:
    newest: date = stored.days[-1].item()
    expected = _next_release(stored)
    return {
        "sources": list(stored.sources),
        "newest": newest.isoformat(),
        "age_days": (now.date() - newest).days,
        "next_expected": expected.isoformat() if expected else None,
        "overdue": expected is not None and expected < now.replace(tzinfo=None),
        "observations": len(stored.days),
        "revisions": stored.revisions,
    }


def _next_release(stored: StoredDays) -> datetime | None:
    """When the observation after the newest should be out (UTC), by the longest usual step of the series."""
    recent = stored.days[-RHYTHM:]
    if len(recent) < 2:
        return None
    # The longest recent step allows for weekends and holidays of daily series.
    following = stored.days[-1:] + np.diff(recent).max()
    moment: datetime = macro_available_at(stored.name, following)[0].item()
    return moment

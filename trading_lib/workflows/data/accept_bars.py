"""Accepting bars into the database: fetch, judge with earlier history, replace quarantined bars, store."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.market.ruling_store import RulingStore
from trading_lib.adapters.stores.postgres.revisions import UpsertCounts
from trading_lib.domain.market.prices import Bars
from trading_lib.market_data.chain import CHAIN, SourceChain
from trading_lib.market_data.source import MarketDataSource, SourceAnswer
from trading_lib.validation.acceptance import DOUBTFUL_DIVIDEND, WINDOW
from trading_lib.validation.context import AcceptedHistory
from trading_lib.validation.quality import validate_history
from trading_lib.validation.report import Finding, Severity, ValidationReport
from trading_lib.workflows.data.price_checks import cross_checks, refuse_adjusted_prices, rulings_of
from trading_lib.workflows.setup.settings import Settings

LOG = logging.getLogger(__name__)
# Calendar days that hold the sessions a verdict rests on, a long closure included.
CONTEXT = timedelta(days=WINDOW * 3 // 2)
# Longer than any closure of the exchange: a suspicion whose last bar is older than this is over.
NEAR = timedelta(days=20)
KEY = ["symbol", "date"]


@dataclass
class Intake:
    """The result of accepting one group of symbols.

    Attributes
    ----------
    answer
        What the source delivered first.
    replaced
        Symbol -> day (ISO) -> source of the bar that took the place of a quarantined one.
    quarantined
        Number of bars set aside, the replaced ones included.
    """

    answer: SourceAnswer
    counts: UpsertCounts = field(default_factory=lambda: UpsertCounts(0, 0, 0))
    quarantined: int = 0
    replaced: dict[str, dict[str, str]] = field(default_factory=dict)


def fetch_accepted_bars(
    source: MarketDataSource,
    symbols: Sequence[str],
    first: date,
    last: date,
    store: MarketStore,
    settings: Settings,
    now: datetime,
) -> Intake:
    """Fetch the bars of ``symbols``, judge them and store what is accepted and what is not.

    A chain is asked for another source's bar where one is quarantined. A bar of a day that was quarantined in an
    earlier run is news of this moment, whatever day it is about: decisions since then were made without it.
    """
    response = source.bars(symbols, first, last, now)
    refuse_adjusted_prices(source, response.bars)
    intake = Intake(response)
    universe, names = settings.configuration.universe, store.sources_of(source.name)
    decisions = RulingStore(store.engine)
    rulings = (*rulings_of(source), *decisions.rulings(names))
    # Bars kept out by a suspected split are judged again: a source or a ruling may have settled it since.
    standing = {suspicion.symbol for suspicion in decisions.suspicions(last) if suspicion.source in names}
    suspected = _still_near(decisions.suspected_bars(names, symbols, last), first, standing)
    waiting, late = _undelivered(suspected, response.bars), _late(suspected, decisions.decided_through(source.name))
    start = min([first, *waiting.frame["date"].dt.date])
    opinions = cross_checks(source, symbols, start - CONTEXT, last, now)
    history = _accepted_history(store, source.name, symbols, start, last, now)
    bars, tried = _both(response.bars, waiting), set[tuple[str, str]]()
    while True:
        report = validate_history(bars, universe, now, opinions, history, rulings=rulings, late=late)
        others = _replacements(source, report, bars, tried, now)
        _save_findings(store, source.name, bars, report, now, errors_only=bool(len(others)))
        intake.quarantined += int((~_in(report.quarantined.frame, waiting.frame)).sum())
        if not len(others):
            break
        _enter_replacements(intake, others)
        bars = _without(bars, report.quarantined, others)
    _leave_out_refused(intake, report)
    accepted = _known_from_now(report.accepted, store.quarantined_days(source.name, start, last, now), now)
    intake.counts = store.upsert_bars(accepted, now)
    return intake


def judge_again(store: MarketStore, source: str, symbol: str, settings: Settings, now: datetime) -> UpsertCounts:
    """Judge the bars of ``symbol`` that a suspected split keeps out, with what has been decided; asks no source."""
    decisions, names = RulingStore(store.engine), store.sources_of(source)
    bars = decisions.suspected_bars(names, [symbol], date.max)
    if not len(bars):
        return UpsertCounts(0, 0, 0)
    days = bars.frame["date"].dt.date
    history = _accepted_history(store, source, [symbol], days.min(), days.max(), now)
    universe = settings.configuration.universe
    rulings, late = decisions.rulings(names), _late(bars, decisions.decided_through(source))
    report = validate_history(bars, universe, now, (), history, rulings=rulings, late=late)
    _save_findings(store, source, bars, report, now, errors_only=False)
    earlier = store.quarantined_days(source, days.min(), days.max(), now)
    return store.upsert_bars(_known_from_now(report.accepted, earlier, now), now)


def _late(suspected: Bars, decided: date | None) -> frozenset[tuple[str, date]]:
    """Suspected symbols and days that a book has decided without."""
    days = zip(suspected.frame["symbol"], suspected.frame["date"].dt.date, strict=True)
    return frozenset((str(symbol), day) for symbol, day in days if decided is not None and day <= decided)


def _still_near(suspected: Bars, first: date, standing: Collection[str]) -> Bars:
    """Leave out symbols whose suspicion ended well before ``first``: no bar that comes now continues it."""
    frame = suspected.frame
    newest = frame.groupby("symbol")["date"].transform("max")
    kept = frame["symbol"].isin(standing) | (newest >= pd.Timestamp(first - NEAR))
    return Bars(frame[kept].reset_index(drop=True)) if len(frame) else suspected


def _undelivered(waiting: Bars, delivered: Bars) -> Bars:
    frame = waiting.frame
    return Bars(frame[~_in(frame, delivered.frame)].reset_index(drop=True)) if len(waiting) else waiting


def _both(first: Bars, second: Bars) -> Bars:
    return Bars.from_frame(pd.concat([first.frame, second.frame], ignore_index=True)) if len(second) else first


def _accepted_history(
    store: MarketStore, source: str, symbols: Sequence[str], first: date, last: date, now: datetime
) -> AcceptedHistory:
    accepted = store.read_bars(source, now, symbols, first - CONTEXT, last)
    return AcceptedHistory(accepted, store.owed_actions(source, symbols, first - CONTEXT, last, DOUBTFUL_DIVIDEND))


def _replacements(
    source: MarketDataSource, report: ValidationReport, bars: Bars, tried: set[tuple[str, str]], now: datetime
) -> Bars:
    """Bars of the next sources for the days on which a symbol has a quarantined bar and no accepted one."""
    if not isinstance(source, SourceChain) or not len(report.quarantined):
        return Bars.empty()
    bad = report.quarantined.frame
    bad = bad[~_in(bad, report.accepted.frame)]
    tried |= {(str(symbol), str(name)) for symbol, name in zip(bars.frame["symbol"], bars.frame["source"], strict=True)}
    replacements = []
    for symbol, rows in bad.groupby("symbol", sort=True):
        used = {name for owner, name in tried if owner == symbol}
        days = rows["date"]
        other = source.bars_instead(str(symbol), used, days.min().date(), days.max().date(), now)
        tried |= {(str(symbol), name) for name in other.asked}
        replacements.append(other.bars.frame[other.bars.frame["date"].isin(days)])
    return Bars.from_frame(pd.concat(replacements, ignore_index=True)) if replacements else Bars.empty()


def _in(rows: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    inside = pd.MultiIndex.from_frame(rows[KEY]).isin(pd.MultiIndex.from_frame(others[KEY]))
    return pd.Series(inside, index=rows.index)


def _without(bars: Bars, quarantined: Bars, others: Bars) -> Bars:
    """Delivered bars with those of other sources in the place of quarantined ones."""
    replaced = quarantined.frame[_in(quarantined.frame, others.frame)]
    kept = bars.frame[~_in(bars.frame, replaced)]
    return Bars.from_frame(pd.concat([kept, others.frame], ignore_index=True))


def _enter_replacements(intake: Intake, others: Bars) -> None:
    frame = others.frame
    for symbol, day, name in zip(frame["symbol"], frame["date"], frame["source"], strict=True):
        intake.replaced.setdefault(str(symbol), {})[day.date().isoformat()] = str(name)


def _leave_out_refused(intake: Intake, report: ValidationReport) -> None:
    """Keep the replacements that were accepted."""
    frame = report.quarantined.frame
    for symbol, day in zip(frame["symbol"], frame["date"], strict=True):
        intake.replaced.get(str(symbol), {}).pop(day.date().isoformat(), None)
    intake.replaced = {symbol: days for symbol, days in intake.replaced.items() if days}


def _known_from_now(accepted: Bars, earlier: set[tuple[str, date]], now: datetime) -> Bars:
    if not earlier:
        return accepted
    frame = accepted.frame
    days = frame["date"].dt.date
    late = np.array([key in earlier for key in zip(frame["symbol"], days, strict=True)], dtype=bool)
    news = late & (frame["available_at"] < pd.Timestamp(now)).to_numpy(dtype=bool)
    return Bars.from_frame(frame.assign(available_at=frame["available_at"].mask(news, pd.Timestamp(now))))


def _log_findings(by_owner: Mapping[str, Sequence[Finding]]) -> None:
    """One line for each symbol and rule: a long history may break one rule a thousand times."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for owner, findings in sorted(by_owner.items()):
        for finding in findings:
            alike.setdefault((owner, finding.symbol, finding.rule), []).append(finding)
    for (owner, symbol, rule), group in alike.items():
        more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
        details = {"source": owner, "symbol": symbol, "rule": rule, "findings": len(group)}
        LOG.warning("%s: %s%s", rule, group[-1].message, more, extra={"details": details})


def _save_findings(
    store: MarketStore, source: str, bars: Bars, report: ValidationReport, now: datetime, *, errors_only: bool
) -> None:
    """Store findings and quarantined bars under the source the bars came from; other findings are the asked one's."""
    chosen = [f for f in report.findings if f.severity is Severity.ERROR or not errors_only]
    if source != CHAIN:
        store.save_validation(source, chosen, report.quarantined, now)
        return
    frame = bars.frame
    owners = {
        (str(symbol), day): str(name)
        for symbol, day, name in zip(frame["symbol"], frame["date"].dt.date, frame["source"], strict=True)
    }
    by_owner: dict[str, list[Finding]] = {str(name): [] for name in frame["source"].unique()}
    for finding in chosen:
        by_owner.setdefault(owners.get((finding.symbol, finding.session), source), []).append(finding)
    bad = report.quarantined.frame
    _log_findings(by_owner)
    for owner, findings in sorted(by_owner.items()):
        store.save_validation(owner, findings, Bars(bad[bad["source"] == owner].reset_index(drop=True)), now)

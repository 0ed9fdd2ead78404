"""All rules over price data sets. Input: `PriceDataset`s, `Universe`, as-of. Output: `DataQualityReport`.

Order: rules about single bars, then about each history, then about sources against each other. A move that another
source made too, or that the whole market made, is an event and no spike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pandas as pd

from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, BoolArray
from trading_lib.validation.acceptance import accept_bars
from trading_lib.validation.context import AcceptedHistory, joined
from trading_lib.validation.price_history import PriceHistory, split_histories
from trading_lib.validation.price_rules.adjusted_prices import adjusted_price_findings
from trading_lib.validation.price_rules.coverage import coverage_findings, expected_days, stale_findings, stray_bars
from trading_lib.validation.price_rules.cross_source import (
    SourceHistory,
    compare_sources,
    confirmed_moves,
    truncated_sessions,
)
from trading_lib.validation.price_rules.dividends import dividend_findings
from trading_lib.validation.price_rules.price_path import tick_findings, unit_findings
from trading_lib.validation.price_rules.splits import split_findings, split_rows
from trading_lib.validation.price_rules.structural import calendar_of, validate_bars
from trading_lib.validation.price_rules.witnesses import adjusted_symbols, unstated_split_findings
from trading_lib.validation.quality_report import DataQualityReport, SymbolQuality, ordered, rule_counts, worst_of
from trading_lib.validation.report import Finding, Severity, ValidationReport
from trading_lib.validation.rules import QualityRules
from trading_lib.validation.rulings import Rulings, rulings_by_symbol, with_rulings

# These speak about a history as a whole: its actions, its unit and its path, not the order of one bar's prices.
ABOUT_HISTORIES = frozenset(
    {
        "bad_tick",
        "capital_gain_double_counted",
        "dividend_mismatch",
        "dividend_not_adjusted",
        "dividend_repeated",
        "dividend_scale",
        "dividend_without_drop",
        "price_scale",
        "dividends_already_in_price",
        "dividend_not_stated",
        "split_not_reconciled",
        "unstated_split",
    }
)

Masks = Mapping[str, BoolArray]


@dataclass(frozen=True, slots=True)
class PriceDataset:
    """One capture of prices.

    Attributes
    ----------
    name
        Shown with each finding.
    bars
        As the system would use them: actions reconciled, one row per stated row, in the same order as ``stated``.
    stated
        The rows as written, sorted by symbol and date: symbol, date, close, adj_close, volume, dividend, split,
        optionally capital_gain.
    own_level
        Whether plain closes are known to be free of dividend adjustment.
    traded
        Whether it is one of several data sets that are traded on together, such as a folder's files: where each
        symbol ends is then judged over all of them.
    """

    name: str
    bars: Bars
    stated: pd.DataFrame
    own_level: bool = False
    traded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    dataset: PriceDataset
    report: ValidationReport
    histories: Mapping[str, PriceHistory]
    decided: Masks


def assess_prices(
    datasets: Sequence[PriceDataset],
    universe: Universe,
    as_of: datetime,
    rules: QualityRules | None = None,
    rulings: Sequence[PriceRuling] = (),
) -> DataQualityReport:
    """Judge data sets, the one that is traded on first; symbols outside the universe are judged without a calendar.

    ``rulings`` say what was decided about suspected splits.

    The report's order and content do not depend on anything but the arguments.
    """
    limits, ruled = rules or QualityRules(), rulings_by_symbol(rulings)
    judged = [_judge_bars(dataset, universe, as_of, ruled) for dataset in datasets]
    sources = _by_symbol(judged)
    confirmed = _confirmed_by_others(sources, limits)
    findings: list[Finding] = []
    for index, item in enumerate(judged):
        others = {
            symbol: [source_history for place, source_history in source_histories if place != index]
            for symbol, source_histories in sources.items()
        }
        of_histories = _history_findings(item, index, universe, limits, confirmed, others)
        findings += [replace(finding, dataset=item.dataset.name) for finding in of_histories]
    findings += _stale_in_all([item for item in judged if item.dataset.traded], universe, limits)
    findings += _adjusted_prices(judged, limits)
    for source_histories in sources.values():
        findings += compare_sources([source_history for _, source_history in source_histories], limits)
    named = {(f.dataset, f.symbol, f.session) for f in findings if f.rule == "partial_session"}
    together = truncated_sessions([[t for _, t in source_histories] for source_histories in sources.values()], limits)
    findings += [f for f in together if (f.dataset, f.symbol, f.session) not in named]
    return DataQualityReport(_symbols(judged, findings, universe, limits), ordered(findings))


def validate_history(
    bars: Bars,
    universe: Universe,
    as_of: datetime,
    cross_checks: Sequence[Bars] = (),
    history: AcceptedHistory | None = None,
    rules: QualityRules | None = None,
    rulings: Sequence[PriceRuling] = (),
    late: Collection[tuple[str, date]] = (),
) -> ValidationReport:
    """Judge what came in: `accept_bars`, and every other rule as an alert. What ingestion calls.

    Parameters
    ----------
    cross_checks
        The same symbols from other sources; they are never accepted, only compared.
    history
        What was accepted before, so that a few days are judged with the history they continue.
    rulings, late
        See `accept_bars`.

    Returns
    -------
    An ERROR is exactly what quarantined its bar, and could be known when the bar arrived. What only later bars or a
    look at the whole history show (a spike that reverts, a hole, a stray bar) is a WARNING: it must not take back a
    bar that somebody has decided on.
    """
    before = history or AcceptedHistory()
    report = accept_bars(bars, universe, as_of, cross_checks, before, rules, rulings, late)
    if not len(bars):
        return report
    primary = _source_of(bars, "bars")
    whole = joined(before.accepted, bars)
    named = [PriceDataset(primary, whole, whole.frame, own_level=True)]
    for number, other in enumerate(cross_checks, start=1):
        named.append(PriceDataset(f"{_source_of(other, 'bars')} (cross-check {number})", other, other.frame))
    first = {symbol: day.date() for symbol, day in bars.frame.groupby("symbol")["date"].min().items()}
    certain = {(f.symbol, f.session, f.rule) for f in report.errors}
    alerts = [
        replace(finding, severity=Severity.WARNING, dataset="")
        for finding in assess_prices(named, universe, as_of, rules, rulings).findings
        if finding.dataset == primary
        and (finding.symbol, finding.session, finding.rule) not in certain
        and finding.session >= first.get(finding.symbol, date.max)
    ]
    return replace(report, findings=ordered((*(replace(f, dataset="") for f in report.errors), *alerts)))


def _source_of(bars: Bars, otherwise: str) -> str:
    names = sorted(bars.frame["source"].unique())
    return ", ".join(map(str, names)) or otherwise


def _judge_bars(dataset: PriceDataset, universe: Universe, as_of: datetime, rulings: Rulings) -> _Judged:
    report = validate_bars(dataset.bars, universe, as_of, foreign=True)
    ruled = {
        history.symbol: with_rulings(history, rulings.get(history.symbol, ()))
        for history in split_histories(dataset.stated)
        if len(history)
    }
    histories = {symbol: item.history for symbol, item in ruled.items()}
    decided = {symbol: item.decided for symbol, item in ruled.items() if item.decided.any()}
    return _Judged(dataset, report, histories, decided)


def _by_symbol(judged: Sequence[_Judged]) -> dict[str, list[tuple[int, SourceHistory]]]:
    sources: dict[str, list[tuple[int, SourceHistory]]] = {}
    for index, item in enumerate(judged):
        adjusted = adjusted_symbols(item.dataset.bars.frame)
        for symbol, history in item.histories.items():
            if not history.intraday:
                is_adjusted = symbol in adjusted
                source_history = SourceHistory(
                    item.dataset.name, history, item.dataset.own_level, knows_splits=is_adjusted
                )
                sources.setdefault(symbol, []).append((index, source_history))
    return sources


def _confirmed_by_others(
    sources: Mapping[str, list[tuple[int, SourceHistory]]], rules: QualityRules
) -> dict[tuple[int, str], BoolArray]:
    confirmed: dict[tuple[int, str], BoolArray] = {}
    for symbol, source_histories in sources.items():
        if len(source_histories) > 1:
            masks = confirmed_moves([source_history for _, source_history in source_histories], rules)
            confirmed |= {(index, symbol): mask for (index, _), mask in zip(source_histories, masks, strict=True)}
    return confirmed


def _history_findings(
    item: _Judged,
    index: int,
    universe: Universe,
    rules: QualityRules,
    confirmed: Mapping[tuple[int, str], BoolArray],
    others: Mapping[str, Sequence[SourceHistory]],
) -> list[Finding]:
    market = _market_moves(item.histories, rules)
    calendars = {symbol: calendar_of(symbol, universe, foreign=True) for symbol in item.histories}
    findings: list[Finding] = []
    event_days: dict[str, set[object]] = {}
    for symbol, history in item.histories.items():
        nothing = np.zeros(len(history), dtype=bool)
        decided = item.decided.get(symbol, nothing)
        events = confirmed.get((index, symbol), nothing) | decided
        event_days[symbol] = set(history.days[events].tolist())
        calendar = calendars[symbol]
        if calendar is not None:
            findings += coverage_findings(history, calendar, rules)
        if symbol == VOLATILITY_INDEX:  # an index pays nothing, splits never, and really doubles within a day
            continue
        splits = split_findings(history, rules)
        unstated = unstated_split_findings(history, others.get(symbol, ()), decided, rules)
        suspected = split_rows(history, unstated)
        explained = events | split_rows(history, splits) | suspected
        event_days[symbol] |= set(history.days[suspected].tolist())
        of_dividends = dividend_findings(history, rules)
        days = {finding.session for finding in unstated}
        # The split's trace in the adjusted close is no dividend.
        findings += [finding for finding in of_dividends if finding.session not in days] + splits + unstated
        findings += unit_findings(history, rules, explained)
        findings += tick_findings(history, rules, explained | market[symbol])
    if not item.dataset.traded:
        findings += stale_findings(item.histories, calendars, rules)
    jumps = [f for f in item.report.findings if f.rule != "price_jump" or f.session not in event_days.get(f.symbol, ())]
    return jumps + findings


def _stale_in_all(traded: Sequence[_Judged], universe: Universe, rules: QualityRules) -> list[Finding]:
    """Compare where the symbols of all data sets that are traded on end; of a symbol in several the newest counts."""
    newest: dict[str, tuple[PriceHistory, str]] = {}
    for item in traded:
        for symbol, history in item.histories.items():
            if symbol not in newest or newest[symbol][0].days[-1] < history.days[-1]:
                newest[symbol] = history, item.dataset.name
    calendars = {symbol: calendar_of(symbol, universe, foreign=True) for symbol in newest}
    findings = stale_findings({symbol: history for symbol, (history, _) in newest.items()}, calendars, rules)
    return [replace(finding, dataset=newest[finding.symbol][1]) for finding in findings]


def _adjusted_prices(judged: Sequence[_Judged], rules: QualityRules) -> list[Finding]:
    """Judge each data set as one export, and data sets of one symbol each, the files of one export, together."""
    alone = [item for item in judged if len(item.histories) == 1]
    exports = [[item] for item in judged if len(item.histories) > 1]
    first: dict[str, _Judged] = {}
    for item in alone:
        first.setdefault(next(iter(item.histories)), item)
    exports += [list(first.values()), *([item] for item in alone if item not in first.values())]
    findings = []
    for items in exports:
        owner = {symbol: item for item in items for symbol in item.histories}
        histories = {symbol: item.histories[symbol] for symbol, item in owner.items()}
        findings += [
            replace(finding, dataset=owner[finding.symbol].dataset.name)
            for finding in adjusted_price_findings(histories, rules)
        ]
    return findings


def _market_moves(histories: Mapping[str, PriceHistory], rules: QualityRules) -> Masks:
    """Rows of each history on days when the median symbol moved by several of its own scales."""
    daily = {symbol: history for symbol, history in histories.items() if not history.intraday}
    quiet = {symbol: np.zeros(len(history), dtype=bool) for symbol, history in histories.items()}
    if len(daily) < rules.cross_section_peers:
        return quiet
    days = np.concatenate([history.days for history in daily.values()])
    sizes = np.concatenate([np.abs(history.total_return) / history.scale for history in daily.values()])
    table = pd.Series(sizes).groupby(days).agg(["median", "count"])
    moved = table.index[
        (table["median"] >= rules.cross_section_scales) & (table["count"] >= rules.cross_section_peers)
    ].to_numpy()
    return quiet | {symbol: np.isin(history.days, moved.astype("datetime64[D]")) for symbol, history in daily.items()}


def _symbols(
    judged: Sequence[_Judged], findings: Sequence[Finding], universe: Universe, rules: QualityRules
) -> tuple[SymbolQuality, ...]:
    by_place: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_place.setdefault((finding.dataset, finding.symbol), []).append(finding)
    result = []
    for item in judged:
        rows = item.dataset.bars.frame.groupby("symbol", sort=True)["date"].agg(["count", "min", "max"])
        bad = item.report.quarantined.frame["symbol"].value_counts()
        for symbol, count, first, last in rows.itertuples():
            of_symbol = by_place.get((item.dataset.name, symbol), [])
            history = item.histories.get(symbol)
            result.append(
                SymbolQuality(
                    symbol=symbol,
                    dataset=item.dataset.name,
                    bars=int(count),
                    first=first.date(),
                    last=last.date(),
                    coverage=_coverage(history, calendar_of(symbol, universe, foreign=True), rules),
                    quarantined=int(bad.get(symbol, 0)),
                    rules=rule_counts(of_symbol),
                    worst=worst_of(of_symbol),
                )
            )
    return tuple(sorted(result, key=lambda quality: quality.symbol))


def _coverage(history: PriceHistory | None, calendar: TradingCalendar | None, rules: QualityRules) -> float | None:
    if history is None or calendar is None or not len(history):
        return None
    days = np.unique(history.days[stray_bars(history, calendar, rules) :])
    expected = expected_days(calendar, days[0], days[-1])
    return float(np.isin(expected, days).mean()) if len(expected) else None

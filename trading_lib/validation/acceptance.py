"""Acceptance of bars at the time they arrive. Input: `Bars` and earlier history. Output: `ValidationReport`.

Each bar is judged by the history that ends with it, so the verdict is the one of its own day, whether twenty years are
loaded at once or one session a day, and in a backtest as well. A rule that needs later bars (a spike is known by its
reversal) can only alert, see `quality.validate_history`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from heapq import heapify, heappop, heappush

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, BoolArray
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.context import AcceptedHistory, OwedAction, owed_actions, stated, with_known
from trading_lib.validation.price_history import PriceHistory, split_histories
from trading_lib.validation.price_rules.cross_source import (
    SourceHistory,
    confirmed_moves,
    disagreements,
    largest_deviation,
)
from trading_lib.validation.price_rules.dividends import dividend_findings, shares_on_ex_dates, unstated_shares
from trading_lib.validation.price_rules.price_path import unit_findings
from trading_lib.validation.price_rules.splits import split_findings, split_rows
from trading_lib.validation.price_rules.structural import validate_bars
from trading_lib.validation.price_rules.unstated_splits import (
    RULE,
    back_at_old_level,
    decided_late,
    split_suspects,
    still_suspected,
    suspected_ratio,
    suspicion,
)
from trading_lib.validation.price_rules.witnesses import adjusted_symbols, witnessed
from trading_lib.validation.report import Finding, Severity, ValidationReport
from trading_lib.validation.rules import QualityRules
from trading_lib.validation.rulings import rulings_by_symbol, with_rulings, with_split

# Bars behind a verdict, the judged one included: more than a year of sessions, so that scales are stable.
WINDOW = 300
# A quarantined bar with one of these has a doubtful dividend; with any other its actions count as facts.
DOUBTFUL_DIVIDEND = frozenset(
    {
        "capital_gain_double_counted",
        "dividend_mismatch",
        "dividend_not_adjusted",
        "dividend_not_stated",
        "dividend_repeated",
        "dividend_scale",
        "dividend_without_drop",
    }
)
# A ruling that a move is real clears these: they report nothing but a different level.
CLEARED_BY_RULING = frozenset({RULE, "price_scale"})
OWN = "bars"


@dataclass
class _Verdict:
    """One symbol's rows that are kept out, and the actions that moved on to a later row."""

    rejected: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    dividends: dict[int, float] = field(default_factory=dict)
    splits: dict[int, float] = field(default_factory=dict)


def accept_bars(
    bars: Bars,
    universe: Universe,
    as_of: datetime,
    cross_checks: Sequence[Bars] = (),
    history: AcceptedHistory | None = None,
    rules: QualityRules | None = None,
    rulings: Sequence[PriceRuling] = (),
    late: Collection[tuple[str, date]] = (),
) -> ValidationReport:
    """Split bars into accepted and quarantined ones by everything that could be known when each arrived.

    Parameters
    ----------
    cross_checks
        The same symbols from other sources; they are never accepted, only compared.
    history
        What came before; bars of it whose day is delivered again give way to the delivered ones. Bars that an
        unstated split keeps out have to be delivered again: they show that what follows them is suspected, too.
    rulings
        What was decided about suspected splits.
    late
        Symbols and days that a suspected split has kept out of decisions made since. They stay out, and a split that
        is stated or ruled by now counts on the next bar: a book settles a session's actions once.

    Returns
    -------
    Findings are those of `validate_bars` and the ERRORs of the history and cross-source rules. Dividend and split of a
    quarantined bar are moved to the symbol's next accepted bar: whoever held the asset was paid, whatever the price.
    """
    limits, before = rules or QualityRules(), history or AcceptedHistory()
    structural = validate_bars(bars, universe, as_of)
    frame = structural.accepted.frame
    if frame.empty:
        return structural
    together, fresh = with_known(frame, bars.frame, before.accepted.frame)
    opinions, ruled = _opinions(cross_checks), rulings_by_symbol(rulings)
    owed = owed_actions(structural.accepted, structural.quarantined, bars.frame, before.owed)
    rejected = np.zeros(len(frame), dtype=bool)
    cash, ratio = frame["dividend"].to_numpy(np.float64, copy=True), frame["split"].to_numpy(np.float64, copy=True)
    findings = list(structural.findings)
    start = place = 0
    acted = False
    for price_history in split_histories(together):
        stop = start + len(price_history)
        new = fresh[start:stop]
        decided = ruled.get(price_history.symbol, ())
        others, due = opinions.get(price_history.symbol, ()), owed.get(price_history.symbol, ())
        verdict = _judge_symbol(price_history, new, others, due, limits, decided, _late_rows(price_history, late))
        acted |= bool(verdict.splits or verdict.dividends)
        # Rows of ``frame`` are the fresh rows of ``together`` in the same order.
        at = place + np.cumsum(new) - 1
        rejected[at[verdict.rejected]] = True
        for row, value in verdict.dividends.items():
            cash[at[row]] = value
        for row, value in verdict.splits.items():
            ratio[at[row]] = value
        findings += verdict.findings
        start, place = stop, place + int(new.sum())
    changed = frame.assign(dividend=cash, split=ratio) if acted else frame
    return ValidationReport(
        accepted=Bars(changed[~rejected].reset_index(drop=True)) if rejected.any() else Bars(changed),
        quarantined=_both(structural.quarantined, frame[rejected]),
        findings=tuple(sorted(findings, key=lambda finding: (finding.symbol, finding.session, finding.rule))),
    )


def _opinions(cross_checks: Sequence[Bars]) -> dict[str, list[SourceHistory]]:
    opinions: dict[str, list[SourceHistory]] = {}
    for number, other in enumerate(cross_checks, start=1):
        adjusted = adjusted_symbols(other.frame)
        for history in split_histories(other.frame):
            name = f"{other.frame['source'].iloc[0]} (cross-check {number})"
            opinion = SourceHistory(name, history, knows_splits=history.symbol in adjusted)
            opinions.setdefault(history.symbol, []).append(opinion)
    return opinions


def _judge_symbol(
    history: PriceHistory,
    fresh: BoolArray,
    others: Sequence[SourceHistory],
    owed: Sequence[OwedAction],
    rules: QualityRules,
    rulings: Sequence[PriceRuling] = (),
    late: BoolArray | None = None,
) -> _Verdict:
    """Judge the fresh rows in order of time, each against the accepted ones before it."""
    ruled = with_rulings(history, rulings)
    moving = replace(ruled.history, dividend=ruled.history.dividend.copy(), split=ruled.history.split.copy())
    verdict = _Verdict()
    for row in ruled.split_rows:
        _enter_split(moving, row, fresh, verdict)
    for day, cash, ratio in owed:
        row = int(np.searchsorted(moving.days, np.datetime64(day), side="right"))
        # What came before the last known bar was moved to one of the known bars when that was judged.
        if row < len(moving) and fresh[row]:
            _carry(moving, row, cash, ratio, verdict)
    accepted = np.ones(len(moving), dtype=bool)
    # Only a row on which some rule could fail is looked at closely.
    late_rows = np.zeros(len(moving), dtype=bool) if late is None else late
    queue = np.flatnonzero((_suspects(moving, others, rules) | late_rows) & fresh).tolist()
    heapify(queue)
    last, suspected = -1, None
    while queue:
        row = heappop(queue)
        if row == last:
            continue
        last = row
        rows = np.r_[np.flatnonzero(accepted[:row])[1 - WINDOW :], row]
        if suspected is not None and not _resolved(moving, rows, suspected, rules):
            errors = [still_suspected(moving, row, suspected)]
        else:
            suspected = None
            errors = _errors_of_last(moving.take(rows), others, rules)
            confirmed = _confirmed_by_others(moving.take(rows), others, errors, rules)
            if confirmed is not None:
                moving = with_split(moving, row, confirmed)
                _enter_split(moving, row, fresh, verdict)
                errors = _errors_of_last(moving.take(rows), others, rules)
            if ruled.real[row]:
                errors = [finding for finding in errors if finding.rule not in CLEARED_BY_RULING]
            suspected = next((finding for finding in errors if finding.rule == RULE), None)
        if not errors and late_rows[row]:
            errors = [decided_late(moving, row)]
            if row + 1 < len(moving):
                ruled.real[row + 1] |= ruled.real[row]
        if not errors:
            continue
        accepted[row] = False
        verdict.rejected.append(row)
        verdict.findings += errors
        if row + 1 < len(moving) and fresh[row + 1]:
            doubtful = any(finding.rule in DOUBTFUL_DIVIDEND for finding in errors)
            cash = 0.0 if doubtful else stated(float(moving.dividend[row]), 0.0)
            _carry(moving, row + 1, cash, float(moving.split[row]), verdict)
            heappush(queue, row + 1)
    return verdict


def _late_rows(history: PriceHistory, late: Collection[tuple[str, date]]) -> BoolArray | None:
    days = [day for symbol, day in late if symbol == history.symbol]
    return np.isin(history.days, np.array(days, dtype="datetime64[D]")) if days else None


def _resolved(history: PriceHistory, rows: NDArray[np.int64], suspected: Finding, rules: QualityRules) -> bool:
    """Whether the last of ``rows`` resolves the suspicion: a split stated late, or the move reversed."""
    last_good, row, ratio = int(rows[-2]), int(rows[-1]), float(suspected.value or 1.0)
    if history.split[row] != 1:
        left = np.log(history.close[row] / history.close[last_good]) + np.log(history.split[row])
        return bool(abs(left) < abs(np.log(ratio)) / 2)
    return back_at_old_level(history, last_good, row, ratio, rules)


def _confirmed_by_others(
    history: PriceHistory, others: Sequence[SourceHistory], errors: Sequence[Finding], rules: QualityRules
) -> float | None:
    """Return the ratio of a suspected split that another source confirms."""
    ratio = suspected_ratio(history, rules) if any(finding.rule == RULE for finding in errors) else None
    return ratio if ratio is not None and witnessed(history, others, ratio, rules) is False else None


def _enter_split(moving: PriceHistory, row: int, fresh: BoolArray, verdict: _Verdict) -> None:
    if fresh[row]:
        verdict.splits[row] = float(moving.split[row])
        verdict.dividends[row] = float(moving.dividend[row])


def _carry(history: PriceHistory, row: int, cash: float, ratio: float, verdict: _Verdict) -> None:
    """Move actions to a later row; a dividend on a row with a split is per new share."""
    if cash:
        paid = np.nan_to_num(history.dividend[row]) + cash / history.split[row]
        history.dividend[row] = verdict.dividends[row] = paid
    if ratio != 1.0:
        history.split[row] = verdict.splits[row] = history.split[row] * ratio


def _suspects(history: PriceHistory, others: Sequence[SourceHistory], rules: QualityRules) -> BoolArray:
    """Rows on which a rule with severity ERROR could fail; every such rule needs one of these."""
    suspects = np.zeros(len(history), dtype=bool)
    if others:
        apart = largest_deviation([SourceHistory(OWN, history), *others])
        suspects |= np.nan_to_num(apart) > rules.source_deviation
    if history.symbol == VOLATILITY_INDEX:
        return suspects
    suspects |= np.abs(np.nan_to_num(history.total_return)) > _level_move(rules)
    suspects |= split_suspects(history, rules)
    for row in np.flatnonzero(history.split != 1):
        suspects[row : row + rules.split_window + 1] = True
    rows, stated, adjusted = shares_on_ex_dates(history)
    gross = (stated > rules.source_deviation) | (np.abs(np.nan_to_num(adjusted - stated)) > rules.source_deviation)
    suspects[rows[gross]] = True
    suspects |= np.abs(unstated_shares(history, rules)) > rules.source_deviation
    return suspects


def _errors_of_last(history: PriceHistory, others: Sequence[SourceHistory], rules: QualityRules) -> list[Finding]:
    """Apply the rules with severity ERROR to the last row of ``history``."""
    day = history.days[-1]
    since = history.days[0]
    witnesses = [_between(other, since, day) for other in others]
    source_histories = [SourceHistory(OWN, history), *(other for other in witnesses if len(other.history))]
    findings = [finding for finding in disagreements(source_histories, rules) if finding.dataset == OWN]
    if history.symbol != VOLATILITY_INDEX:
        confirmed = np.zeros(len(history), dtype=bool)
        if len(source_histories) > 1:
            confirmed = confirmed_moves(source_histories, rules)[0]
        splits = split_findings(history, rules)
        explained = confirmed | split_rows(history, splits)
        findings += splits + dividend_findings(history, rules)
        ratio = suspected_ratio(history, rules)
        if abs(float(history.plain_return[-1])) > _level_move(rules) and not _follows(history):
            ratio = None  # the bars between were kept out for their level, and so is this one
        if ratio is not None and witnessed(history, others, ratio, rules) is not True:
            # The split's trace in the adjusted close is no dividend.
            findings = [finding for finding in findings if finding.rule not in DOUBTFUL_DIVIDEND]
            findings.append(suspicion(history, ratio, rules))
        else:
            findings += unit_findings(history, rules, explained) or _far_off(history, rules, explained)
    last = day.item()
    errors = [finding for finding in findings if finding.session == last and finding.severity is Severity.ERROR]
    if any(finding.rule == "dividend_not_stated" for finding in errors) and not _follows(history):
        # Across a bar that was kept out, the adjusted close takes off what that bar paid.
        errors = [finding for finding in errors if finding.rule != "dividend_not_stated"]
    return errors


def _follows(history: PriceHistory) -> bool:
    """Whether the last row is of the session after the row before it."""
    before, last = (day.item() for day in history.days[-2:])
    return len(exchange_sessions().between(before, last)) <= 2


def _far_off(history: PriceHistory, rules: QualityRules, explained: BoolArray) -> list[Finding]:
    """Find a price on another level than the last accepted one: a unit that stays wrong drifts off its exact ratio."""
    move = float(history.total_return[-1])
    if explained[-1] or not abs(move) > _level_move(rules):
        return []
    session = history.days[-1].item()
    text = f"the price {history.close[-1]:g} is {np.exp(move):.4g} times the last one that was accepted"
    message = f"{history.symbol} {session}: {text}"
    return [Finding(history.symbol, session, "price_scale", Severity.ERROR, float(np.exp(move)), message)]


def _level_move(rules: QualityRules) -> float:
    """Log move that is nearer to the smallest quoting unit than to none."""
    return float(np.log(min(rules.unit_ratios)) / 2)


def _between(other: SourceHistory, first: np.datetime64, last: np.datetime64) -> SourceHistory:
    days = other.history.days
    rows = slice(int(np.searchsorted(days, first, "left")), int(np.searchsorted(days, last, "right")))
    return replace(other, history=other.history.take(rows))


def _both(bars: Bars, rows: pd.DataFrame) -> Bars:
    if rows.empty:
        return bars
    return Bars.from_frame(pd.concat([bars.frame, rows], ignore_index=True) if len(bars) else rows)

"""Cross-source comparison of a symbol's returns. Input: its histories by data set. Output: findings.

Returns are compared, never levels: captures differ by later splits and dividends. Of three sources, the outvoted one is
wrong; of two that disagree, either may be, so the finding names both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from trading_lib.domain.market.prices import BoolArray, DateArray, FloatArray
from trading_lib.validation.price_history import PriceHistory, robust_scale
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

Deviations = dict[tuple[int, int], FloatArray]
Votes = dict[tuple[int, int], BoolArray]


@dataclass(frozen=True, slots=True)
class SourceHistory:
    """One data set's history of a symbol.

    Attributes
    ----------
    own_level
        Whether its plain closes are known to be free of dividend adjustment, so that their level means something.
    knows_splits
        Whether its prices are adjusted for splits, so that a leap in them is none.
    """

    dataset: str
    history: PriceHistory
    own_level: bool = False
    knows_splits: bool = False


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Histories on a common axis of days; NaN where one has no bar. ``since`` is the day a return starts from."""

    days: DateArray
    close: list[FloatArray]
    total: list[FloatArray]
    plain: list[FloatArray]
    volume: list[FloatArray]
    since: list[DateArray]


def compare_sources(source_histories: Sequence[SourceHistory], rules: QualityRules) -> list[Finding]:
    """Compare a symbol's histories in several data sets, the traded one first."""
    if len(source_histories) < 2:
        return []
    aligned = _align(source_histories)
    deviations = _deviations(aligned, len(source_histories))
    findings = _disagreements(source_histories, aligned, deviations, rules)
    for first, second in deviations:
        findings += _levels(source_histories, aligned, first, second, rules)
    for second in range(1, len(source_histories)):
        for suspect, witness in ((0, second), (second, 0)):
            findings += _partial(source_histories, aligned, suspect, witness, rules)
    return findings


def disagreements(source_histories: Sequence[SourceHistory], rules: QualityRules) -> list[Finding]:
    """Only the days on which returns differ. A day's finding depends on that day and the days before it."""
    if len(source_histories) < 2:
        return []
    aligned = _align(source_histories)
    return _disagreements(source_histories, aligned, _deviations(aligned, len(source_histories)), rules)


def largest_deviation(source_histories: Sequence[SourceHistory]) -> FloatArray:
    """For each row of the first history, how far its log return is off the farthest other one; NaN: not comparable."""
    aligned = _align(source_histories)
    apart = np.full(len(aligned.days), np.nan)
    for other in range(1, len(source_histories)):
        apart = np.fmax(apart, np.abs(_deviation(aligned, 0, other)))
    rows: FloatArray = apart[np.searchsorted(aligned.days, source_histories[0].history.days)]
    return rows


def confirmed_moves(source_histories: Sequence[SourceHistory], rules: QualityRules) -> list[BoolArray]:
    """For each history, rows whose return another data set shares."""
    aligned = _align(source_histories)
    confirmed = [np.zeros(len(aligned.days), dtype=bool) for _ in source_histories]
    for first, second in combinations(range(len(source_histories)), 2):
        apart = np.abs(_deviation(aligned, first, second))
        for index in (first, second):
            slack = np.maximum(rules.source_deviation, rules.confirmation * np.abs(aligned.total[index]))
            confirmed[index] |= apart <= slack
    return [
        mask[np.searchsorted(aligned.days, source_history.history.days)]
        for mask, source_history in zip(confirmed, source_histories, strict=True)
    ]


def _align(source_histories: Sequence[SourceHistory]) -> _Aligned:
    days = np.unique(np.concatenate([t.history.days for t in source_histories]))
    result = _Aligned(days, [], [], [], [], [])
    for source_history in source_histories:
        history = source_history.history
        # Of several bars of a day (a duplicate) the last stands; validation has reported it already.
        at = np.searchsorted(days, history.days)
        since = np.full(len(days), np.datetime64("NaT"), "datetime64[D]")
        since[at[1:]] = history.days[:-1]
        result.since.append(since)
        for target, values in (
            (result.close, history.close),
            (result.total, history.total_return),
            (result.plain, history.plain_return),
            (result.volume, history.volume),
        ):
            column = np.full(len(days), np.nan)
            column[at] = values
            target.append(column)
    return result


def _deviations(aligned: _Aligned, count: int) -> Deviations:
    return {(first, second): _deviation(aligned, first, second) for first, second in combinations(range(count), 2)}


def _deviation(aligned: _Aligned, first: int, second: int) -> FloatArray:
    """Signed difference of log returns over the same days, of total or plain returns, whichever agree better.

    A source that is silent about dividends can still be compared by its plain returns.
    """
    total = aligned.total[first] - aligned.total[second]
    plain = aligned.plain[first] - aligned.plain[second]
    use_plain = np.abs(plain) < np.abs(total)
    same_days = aligned.since[first] == aligned.since[second]
    return np.where(same_days, np.where(use_plain, plain, total), np.nan)


def _disagreements(
    source_histories: Sequence[SourceHistory], aligned: _Aligned, deviations: Deviations, rules: QualityRules
) -> list[Finding]:
    apart = {pair: np.abs(values) > rules.source_deviation for pair, values in deviations.items()}
    agree = {pair: np.abs(values) <= rules.source_deviation for pair, values in deviations.items()}
    outvoted = [_outvoted(index, len(source_histories), apart, agree) for index in range(len(source_histories))]
    findings = []
    for pair, values in deviations.items():
        rows = apart[pair] & ~_returns_from(values, rules)
        for row in np.flatnonzero(rows):
            wrong = [index for index in pair if outvoted[index][row]]
            findings.append(
                _deviation_finding(source_histories, aligned, pair, int(row), float(values[row]), wrong, rules)
            )
    return _once(findings)


def _outvoted(index: int, count: int, apart: Votes, agree: Votes) -> BoolArray:
    """Where a data set disagrees with another, agrees with none, and two others agree with each other."""
    others = [other for other in range(count) if other != index]
    length = len(next(iter(apart.values())))
    alone, backed = np.zeros(length, dtype=bool), np.zeros(length, dtype=bool)
    for other in others:
        pair = (min(index, other), max(index, other))
        alone |= apart[pair]
        backed |= agree[pair]
    together = np.zeros(length, dtype=bool)
    for pair in combinations(others, 2):
        together |= agree[pair]
    return alone & ~backed & together


def _returns_from(values: FloatArray, rules: QualityRules) -> BoolArray:
    """Rows that only undo the row before: one wrong bar makes two wrong returns, and one finding."""
    result = np.zeros(len(values), dtype=bool)
    finite = np.flatnonzero(np.isfinite(values))
    for place in np.flatnonzero(np.abs(values[finite]) > rules.source_deviation):
        before = finite[place]
        if place + 1 < len(finite) and not result[before]:
            row = finite[place + 1]
            result[row] = abs(values[before] + values[row]) <= abs(values[before]) * rules.reversal
    return result


def _deviation_finding(
    source_histories: Sequence[SourceHistory],
    aligned: _Aligned,
    pair: tuple[int, int],
    row: int,
    value: float,
    wrong: list[int],
    rules: QualityRules,
) -> Finding:
    first, second = pair
    accused = wrong[0] if wrong else first
    gross = bool(wrong) or abs(value) > rules.gross_deviation
    session, symbol = aligned.days[row].item(), source_histories[first].history.symbol
    returns = [float(np.expm1(aligned.total[index][row])) for index in pair]
    verdict = "outvoted by the other sources" if wrong else "one of them is wrong"
    message = (
        f"the day's return is {returns[0]:+.2%} in {source_histories[first].dataset} and {returns[1]:+.2%} in"
        f" {source_histories[second].dataset}; {source_histories[accused].dataset + ' is ' if wrong else ''}{verdict}"
    )
    return Finding(
        symbol,
        session,
        "source_deviation",
        Severity.ERROR if gross else Severity.WARNING,
        value,
        f"{symbol} {session}: {message}",
        source_histories[accused].dataset,
    )


def _once(findings: list[Finding]) -> list[Finding]:
    """Keep one finding per data set and session, the most severe."""
    best: dict[tuple[str, object], Finding] = {}
    for finding in findings:
        key = (finding.dataset, finding.session)
        if key not in best or (finding.severity is Severity.ERROR and best[key].severity is Severity.WARNING):
            best[key] = finding
    return list(best.values())


def truncated_sessions(sources: Sequence[Sequence[SourceHistory]], rules: QualityRules) -> list[Finding]:
    """Find sessions that end early in a whole data set: most of its symbols trade too little and close elsewhere.

    Parameters
    ----------
    sources
        Per symbol its histories, first the one that is traded on.

    Returns
    -------
    One WARNING for each symbol that can be compared in such a session. A symbol alone may stay below what
    `compare_sources` asks for; that most of them do on one day is no accident.
    """
    if len(sources) < rules.cross_section_peers:
        return []
    days: list[DateArray] = []
    weak: list[BoolArray] = []
    keys: list[tuple[str, str, str]] = []
    for source_histories in sources:
        aligned = _align(source_histories)
        for other in range(1, len(source_histories)):
            for suspect, witness in ((0, other), (other, 0)):
                share = _usual_share(aligned, suspect, witness, rules)
                if share is None:
                    continue
                apart = np.abs(_deviation(aligned, min(suspect, witness), max(suspect, witness)))
                finite = np.isfinite(share) & np.isfinite(apart)
                early = (share < rules.truncated_volume_share) & (apart > rules.partial_deviation)
                days.append(aligned.days[finite])
                weak.append(early[finite])
                keys.append(
                    (
                        source_histories[suspect].dataset,
                        source_histories[witness].dataset,
                        source_histories[0].history.symbol,
                    )
                )
    findings = []
    for pair in sorted({key[:2] for key in keys}):
        places = [place for place, key in enumerate(keys) if key[:2] == pair]
        if len(places) < rules.cross_section_peers:
            continue
        all_days = np.concatenate([days[place] for place in places])
        all_weak = np.concatenate([weak[place] for place in places])
        sessions, index = np.unique(all_days, return_inverse=True)
        count, low = np.bincount(index), np.bincount(index, weights=all_weak)
        for day in np.flatnonzero((count >= rules.cross_section_peers) & (low * 2 > count)):
            session = sessions[day].item()
            message = f"a truncated session in {pair[0]}: {int(low[day])} of {int(count[day])} symbols trade less than"
            message += f" usual beside {pair[1]} and close elsewhere"
            findings += [
                Finding(
                    keys[place][2],
                    session,
                    "partial_session",
                    Severity.WARNING,
                    float(low[day] / count[day]),
                    f"{keys[place][2]} {session}: {message}",
                    pair[0],
                )
                for place in places
                if sessions[day] in days[place]
            ]
    return findings


def _usual_share(aligned: _Aligned, suspect: int, witness: int, rules: QualityRules) -> FloatArray | None:
    """Volume of one source in units of its usual share of another's; None with too few common days."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(aligned.volume[witness] > 0, aligned.volume[suspect] / aligned.volume[witness], np.nan)
    finite = np.isfinite(share)
    usual = float(np.median(share[finite])) if int(finite.sum()) >= rules.level_overlap else 0.0
    return share / usual if usual > 0 else None


def _levels(
    source_histories: Sequence[SourceHistory], aligned: _Aligned, first: int, second: int, rules: QualityRules
) -> list[Finding]:
    if not (source_histories[first].own_level and source_histories[second].own_level):
        return []
    ratio = aligned.close[first] / aligned.close[second]
    common = np.flatnonzero(np.isfinite(ratio))
    if len(common) < rules.level_overlap:
        return []
    shared = ratio[common]
    level = float(np.median(shared))
    steady = float(np.median(np.abs(shared / level - 1))) <= rules.level_spread
    findings = []
    if steady and abs(np.log(level)) > rules.level_ratio:
        session, symbol = aligned.days[common[-1]].item(), source_histories[first].history.symbol
        since = aligned.days[common[0]]
        message = (
            f"from {since} on prices in {source_histories[first].dataset} are {level:.4f} times those in"
            f" {source_histories[second].dataset}: a split, spin-off or unit that one of them lacks"
        )
        findings.append(
            Finding(
                symbol,
                session,
                "level_between_sources",
                Severity.WARNING,
                level,
                f"{symbol} {session}: {message}",
                source_histories[second].dataset,
            )
        )
    return findings


def _partial(
    source_histories: Sequence[SourceHistory], aligned: _Aligned, suspect: int, witness: int, rules: QualityRules
) -> list[Finding]:
    share = _usual_share(aligned, suspect, witness, rules)
    if share is None:
        return []
    finite = np.isfinite(share)
    # The share of a thin venue wanders by itself; only what leaves its ordinary range says something about a day.
    ordinary = robust_scale(np.log(np.maximum(share[finite], 1e-6)))
    least = min(rules.partial_volume_share, float(np.exp(-rules.partial_scales * ordinary)))
    off = np.abs(_deviation(aligned, min(suspect, witness), max(suspect, witness))) > rules.partial_deviation
    findings = []
    for row in np.flatnonzero(finite & (share < least) & off):
        session, symbol = aligned.days[row].item(), source_histories[suspect].history.symbol
        message = (
            f"a partial session in {source_histories[suspect].dataset}: {share[row]:.0%} of its usual share of the"
            f" volume in {source_histories[witness].dataset}, and another close"
        )
        findings.append(
            Finding(
                symbol,
                session,
                "partial_session",
                Severity.WARNING,
                float(share[row]),
                f"{symbol} {session}: {message}",
                source_histories[suspect].dataset,
            )
        )
    return findings

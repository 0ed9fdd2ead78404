"""Consistency of stated dividends, adjusted close and prices. Input: `PriceHistory`. Output: findings.

There are three sources of evidence about a dividend: the stated cash, the step of the adjustment factor (adjusted close
over close) on the ex-date, and the fall of the price. The first two are exact, so they are compared ex-date by ex-date.
The price falls by the dividend plus an ordinary day's move, so it is asked only where the dividend is large against
such moves, or jointly over many ex-dates.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.prices import FloatArray
from trading_lib.validation.price_history import PriceHistory
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

UNIT = 100.0
CENT = 0.01


def dividend_findings(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    """Apply every rule about dividends; what moves a day's return by more than sources may differ is an error."""
    if len(history) < 2:
        return []
    findings = [*_adjustment(history, rules), *_repeated(history, rules), *_not_stated(history, rules)]
    if not history.intraday:
        findings += [*_without_drop(history, rules), *_jointly_off_scale(history, rules)]
    return findings


def shares_on_ex_dates(history: PriceHistory) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Rows with a dividend; its share of the price before, as stated and as the adjusted close shows it (or NaN)."""
    rows = np.array(_ex_rows(history), dtype=np.int64)
    ratio = np.where(history.split_visible, history.split, 1.0)[rows]
    stated: FloatArray = history.dividend[rows] * ratio / history.close[rows - 1]
    adjusted: FloatArray = 1.0 - ratio * history.factor[rows - 1] / history.factor[rows]
    return rows, stated, adjusted


def _ex_rows(history: PriceHistory) -> list[int]:
    rows = np.flatnonzero(np.nan_to_num(history.dividend) > 0)
    return [int(row) for row in rows if row > 0]


def _stated_share(history: PriceHistory, row: int, cash: float | None = None) -> float:
    """Cash on a row as a share of the close before it, in new shares where the close shows a split."""
    ratio = float(history.split[row]) if history.split_visible[row] else 1.0
    paid = float(history.dividend[row]) if cash is None else cash
    return paid * ratio / float(history.close[row - 1])


def _adjusted_share(history: PriceHistory, row: int, last: int) -> float:
    """Share of the price that the adjustment factor takes off between the row before ``row`` and ``last``."""
    ratio = float(np.prod(np.where(history.split_visible, history.split, 1.0)[row : last + 1]))
    return 1.0 - ratio * float(history.factor[row - 1] / history.factor[last])


def _adjustment(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    findings = []
    for row in _ex_rows(history):
        stated = _stated_share(history, row)
        # In a weekly bar the ex-date may be any day of the week; vendors then adjust up to the bar or after it.
        last = min(row + 1, len(history) - 1) if history.several_days else row
        options = [_adjusted_share(history, row, row), _adjusted_share(history, row, last)]
        if not np.isfinite(options).all():
            continue
        adjusted = min(options, key=lambda option: abs(option - stated))
        slack = max(rules.dividend_share_floor, rules.dividend_tolerance * min(stated, 1.0))
        if abs(adjusted - stated) > slack:
            severity = _severity(abs(adjusted - stated), rules)
            findings.append(_mismatch(history, row, stated, adjusted, slack, severity))
    return findings


def unstated_shares(history: PriceHistory, rules: QualityRules) -> FloatArray:
    """Share of the price that the adjusted close takes off where the source states that nothing was paid, else 0.

    Shape (n,). Steps that rounding of an adjusted close to cents explains are none, and so are rows with a split.
    """
    result = np.zeros(len(history))
    if history.several_days or history.intraday or len(history) < 2:
        return result
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - history.factor[:-1] / history.factor[1:]
        slack = np.maximum(rules.dividend_share_floor, CENT / np.minimum(history.adj_close[1:], history.adj_close[:-1]))
        quiet = (history.dividend[1:] == 0) & (history.split[1:] == 1) & (np.abs(share) > slack)
    result[1:] = np.where(quiet, share, 0.0)
    return result


def _not_stated(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    shares = unstated_shares(history, rules)
    findings = []
    for row in map(int, np.flatnonzero(shares)):
        message = f"no dividend is stated, but the adjusted close takes {shares[row]:.2%} off the price before it"
        severity = _severity(abs(float(shares[row])), rules)
        findings.append(_finding(history, row, "dividend_not_stated", float(shares[row]), message, severity))
    return findings


def _mismatch(
    history: PriceHistory, row: int, stated: float, adjusted: float, slack: float, severity: Severity
) -> Finding:
    gain = float(history.capital_gain[row])
    stated_text = f"the dividend {history.dividend[row]:g} is {stated:.2%} of the price before it"
    if gain > 0 and abs(adjusted - _stated_share(history, row, float(history.dividend[row]) + gain)) <= slack:
        rule = "capital_gain_double_counted"
        message = f"{stated_text}, but the adjustment also takes off the gain {gain:g} that is part of it"
    elif _is_unit(adjusted / stated):
        rule, message = "dividend_scale", f"{stated_text}, but the adjusted close shows {adjusted:.2%}: a factor of 100"
    elif abs(adjusted) <= min(slack, stated / 4):
        rule, message = "dividend_not_adjusted", f"{stated_text}, but the adjusted close does not show it"
    else:
        rule, message = "dividend_mismatch", f"{stated_text}, but the adjusted close shows {adjusted:.2%}"
    return _finding(history, row, rule, stated, message, severity)


def _severity(effect: float, rules: QualityRules) -> Severity:
    """Only alert about what moves the day's return by less than two sources may differ anyway."""
    return Severity.ERROR if effect > rules.source_deviation else Severity.WARNING


def _is_unit(ratio: float) -> bool:
    return ratio > 0 and abs(abs(np.log(ratio)) - np.log(UNIT)) < 0.2


def _without_drop(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    if len(history) < rules.minimum_bars:
        return []
    findings = []
    for row in _ex_rows(history):
        stated = _stated_share(history, row)
        if history.untraded[row] or history.several_days:
            continue
        ratio = float(history.split[row]) if history.split_visible[row] else 1.0
        move = float(history.plain_return[row]) + np.log(ratio)
        # A dividend of the whole price or more leaves no price at all: its expected fall has no bound.
        expected = -np.log1p(-stated) if stated < 1 else np.inf
        judgeable = expected > rules.unexplained_scales * history.scale
        if judgeable and -move < rules.dividend_drop * min(stated, 1.0):
            message = f"the dividend {history.dividend[row]:g} is {stated:.2%} of the price, which moved {move:+.2%}"
            findings.append(_finding(history, row, "dividend_without_drop", stated, message, _severity(stated, rules)))
    return findings


def _repeated(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    findings = []
    rows = _ex_rows(history)
    for earlier, later in pairwise(rows):
        days = float((history.times[later] - history.times[earlier]) / np.timedelta64(1, "D"))
        first, second = float(history.dividend[earlier]), float(history.dividend[later])
        similar = abs(first - second) <= rules.repeat_similarity * max(first, second)
        if similar and days > 0 and later - earlier <= rules.repeat_bars and not history.several_days:
            message = f"the dividend {second:g} follows {first:g} of {history.days[earlier]}: paid twice"
            severity = _severity(_stated_share(history, later), rules)
            findings.append(_finding(history, later, "dividend_repeated", second, message, severity))
    return findings


def _jointly_off_scale(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    """Whether all ex-dates together fit dividends 100 times as large and refuse the stated ones.

    One small dividend hides in a day's moves; the mean of many falls does not.
    """
    rows = [row for row in _ex_rows(history) if not history.untraded[row] and not history.split_visible[row]]
    stated = np.array([_stated_share(history, row) for row in rows])
    small = stated * UNIT < 0.5
    if int(small.sum()) < rules.dividend_events or history.several_days:
        return []
    chosen, moves = stated[small], history.plain_return[np.array(rows)[small]]
    spread = _ordinary_spread(history) / np.sqrt(len(chosen))
    stated_misfit = float(np.mean(moves + chosen)) / spread
    scaled_misfit = float(np.mean(moves + UNIT * chosen)) / spread
    if stated_misfit > -rules.refused_errors or abs(scaled_misfit) > rules.fitting_errors:
        return []
    first = int(np.array(rows)[small][0])
    message = (
        f"{len(chosen)} dividends from here on are {chosen.mean():.3%} of the price on average, but the price fell"
        f" {-moves.mean():.2%}: a factor of 100"
    )
    severity = _severity(UNIT * float(chosen.mean()), rules)
    return [_finding(history, first, "dividend_scale", float(chosen.mean()), message, severity)]


def _ordinary_spread(history: PriceHistory) -> float:
    """Return the standard deviation of the close's moves, the wildest clipped: a mean of few days feels the tails."""
    returns: FloatArray = history.plain_return[1:]
    limit = 5 * history.scale
    return float(np.std(np.clip(returns, -limit, limit), ddof=1))


def _finding(history: PriceHistory, row: int, rule: str, value: float, message: str, severity: Severity) -> Finding:
    session = history.days[row].item()
    return Finding(history.symbol, session, rule, severity, float(value), f"{history.symbol} {session}: {message}")

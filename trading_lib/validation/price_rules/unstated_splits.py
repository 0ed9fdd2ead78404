"""Detects splits that the source does not state. Input: `PriceHistory`. Output: the suspected ratio.

Two kinds of evidence. The step of adjusted over plain close is exact: a clean ratio there needs nothing else. Without
it the price has to look like a split in every respect: the opening stands at the new level, so does the close, the day
trades over an ordinary range and for an ordinary number of dollars. A crash fails at least one of these. Only the bar
and the bars before it are used, and no other symbol: the verdict does not depend on what is loaded beside it.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.validation.price_history import PriceHistory, robust_scale
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

RULE = "unstated_split"
SESSIONS_PER_DAY = 5 / 7


def split_suspects(history: PriceHistory, rules: QualityRules) -> BoolArray:
    """Rows that leap far enough to be looked at by `suspected_ratio`, shape (n,)."""
    least = np.log(rules.smallest_price_ratio) - np.log(1.3)
    leaps = np.abs(np.nan_to_num(history.plain_return)) > least
    result: BoolArray = (leaps | (np.abs(_factor_steps(history)) > np.log(1.2))) & (history.split == 1)
    return result


def suspected_ratio(history: PriceHistory, rules: QualityRules) -> float | None:
    """Return the ratio (new shares per old) of the split that the last row looks like, or None."""
    row = len(history) - 1
    if row < 1 or history.intraday or history.split[row] != 1:
        return None
    exact = _ratio_of_factor(history, row, rules)
    return exact if exact is not None else _ratio_of_price(history, row, rules)


def split_name(ratio: float) -> str:
    """Ratio as it is announced: "2:1", "3:2", "1:8"."""
    if ratio < 1:
        return ":".join(reversed(split_name(1 / ratio).split(":")))
    new, old = min(((round(ratio * old), old) for old in (1, 2, 3, 4)), key=lambda pair: abs(pair[0] / pair[1] - ratio))
    return f"{new}:{old}" if abs(new / old / ratio - 1) < 1e-6 else f"{ratio:g}:1"


def suspicion(history: PriceHistory, ratio: float, rules: QualityRules) -> Finding:
    """Report the last row, its value both ways."""
    session, before, now = history.days[-1].item(), float(history.close[-2]), float(history.close[-1])
    message = (
        f"{history.symbol} {session}: looks like an unstated {split_name(ratio)} split: the close {now:g} is"
        f" {now / before:.4g} times the last good one, {before:g}; 100 shares held before are worth"
        f" ${100 * ratio * now:,.2f} if it is a split, ${100 * now:,.2f} if the move is real"
        f" (record which with `trading review-move`, or in rulings.yaml of the folder)"
    )
    return Finding(history.symbol, session, RULE, Severity.ERROR, ratio, message)


def still_suspected(history: PriceHistory, row: int, since: Finding) -> Finding:
    """Report a later row, kept out because the suspected split on the day of ``since`` is undecided."""
    session, ratio = history.days[row].item(), float(since.value or 1.0)
    message = (
        f"{history.symbol} {session}: kept out since {since.session}, which looks like an unstated"
        f" {split_name(ratio)} split; record what it was with `trading review-move`"
    )
    return Finding(history.symbol, session, RULE, Severity.ERROR, ratio, message)


def decided_late(history: PriceHistory, row: int) -> Finding:
    """Report a row that stays out although its split is known by now: its session was decided without it."""
    session = history.days[row].item()
    message = (
        f"{history.symbol} {session}: stays out, for the session was decided before it was known whether there was a"
        " split; a split counts on the next bar"
    )
    return Finding(history.symbol, session, RULE, Severity.ERROR, None, message)


def back_at_old_level(history: PriceHistory, last_good: int, row: int, ratio: float, rules: QualityRules) -> bool:
    """Whether ``row`` reverses the move: the bars between were wrong, and there was no split."""
    back = float(np.log(history.close[row] / history.close[row - 1]))
    whole = float(np.log(history.close[row] / history.close[last_good]))
    slack = max(rules.least_closing, rules.closing_scales * history.scale)
    return bool(abs(back - np.log(ratio)) <= slack and abs(whole) < abs(np.log(ratio)) / 2)


def scale_at(history: PriceHistory, row: int, rules: QualityRules) -> float:
    """Scale of an ordinary move up to ``row`` since the row before, itself left out."""
    earlier = history.total_return[max(1, row - 10 * rules.recent_bars) : row]
    both = (robust_scale(earlier), robust_scale(earlier[-rules.recent_bars // 3 :]), rules.least_scale)
    days = float((history.days[row] - history.days[row - 1]) / np.timedelta64(1, "D"))
    return max(both) * float(np.sqrt(max(1.0, days * SESSIONS_PER_DAY)))


def _factor_steps(history: PriceHistory) -> FloatArray:
    steps = np.zeros(len(history))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps[1:] = np.nan_to_num(np.log(history.factor[1:] / history.factor[:-1]))
    return steps


def _ratio_of_factor(history: PriceHistory, row: int, rules: QualityRules) -> float | None:
    step = float(_factor_steps(history.take(slice(row - 1, row + 1)))[1])
    ratio = _nearest(step, rules)
    distance = abs(np.log(ratio))
    falls = abs(float(history.plain_return[row]) + np.log(ratio)) < distance / 3
    return ratio if abs(step - np.log(ratio)) <= rules.factor_tolerance and falls else None


def _ratio_of_price(history: PriceHistory, row: int, rules: QualityRules) -> float | None:
    if row < rules.minimum_bars or abs(float(_factor_steps(history.take(slice(row - 1, row + 1)))[1])) > np.log(1.2):
        return None
    before, close, opening = (float(history.close[row - 1]), float(history.close[row]), float(history.open[row]))
    opened = float(np.log(opening / before)) if opening > 0 else float(history.plain_return[row])
    closed = float(np.log((close + np.nan_to_num(history.dividend[row])) / before))
    ratio = _nearest(-(2 * opened + closed) / 3, rules)
    size, scale = abs(float(np.log(ratio))), scale_at(history, row, rules)
    if ratio_below(ratio, rules) or size <= rules.split_scales * scale:
        return None
    if not opening > 0 and size < np.log(rules.smallest_close_ratio):
        return None
    opening_slack = min(max(rules.least_opening, rules.opening_scales * scale), size / 4)
    closing_slack = min(max(rules.least_closing, rules.closing_scales * scale), size / 2)
    at_level = abs(opened + np.log(ratio)) <= opening_slack and abs(closed + np.log(ratio)) <= closing_slack
    exact = abs(opened + np.log(ratio)) <= max(rules.exact_opening, scale)
    return ratio if at_level and _ordinary_day(history, row, size, rules, exact=exact) else None


def ratio_below(ratio: float, rules: QualityRules) -> bool:
    """Whether prices alone cannot distinguish a split of this ratio from news."""
    return abs(float(np.log(ratio))) < float(np.log(rules.smallest_price_ratio))


def _ordinary_day(history: PriceHistory, row: int, size: float, rules: QualityRules, *, exact: bool) -> bool:
    """Whether the day's range and the dollars traded are ordinary; what is unknown does not count against it.

    Wild days come without splits too, so an opening ``exact`` at the ratio is granted a range that is small beside the
    leap of ``size``, and twice the dollars.
    """
    recent = slice(max(0, row - rules.recent_bars), row + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.log(history.high[recent] / history.low[recent])
        dollars = history.close[recent] * history.volume[recent]
    most_width, most_dollars = rules.widest_range * _median(width[:-1]), rules.busiest_turnover * _median(dollars[:-1])
    least_width = max(rules.least_opening, size * rules.range_of_leap if exact else 0.0)
    # Comparisons with NaN are False: no median, no verdict.
    too_wide = bool(width[-1] > max(least_width, most_width)) if np.isfinite(most_width) else False
    return not too_wide and not bool(dollars[-1] > most_dollars * (2.0 if exact else 1.0))


def _median(values: FloatArray) -> float:
    positive = values[np.isfinite(values) & (values > 0)]
    return float(np.median(positive)) if len(positive) else float("nan")


def _nearest(log_ratio: float, rules: QualityRules) -> float:
    both = np.r_[1 / np.array(rules.reverse_ratios), 1.0, np.array(rules.split_ratios)]
    return float(both[np.argmin(np.abs(np.log(both) - log_ratio))])

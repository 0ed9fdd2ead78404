"""Detects prices already adjusted for dividends: they do not fall on ex-dates. Output: findings, one per symbol.

Prices that are adjusted for dividends already do not fall, and a stated dividend beside them is counted twice. One
ex-date says nothing, for a dividend is smaller than a day's move; all of a symbol's together do, and all symbols of a
data set, which one export has usually treated alike, say it sooner. Each ex-date weighs by how well it can tell: calm
times and large dividends most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.prices import VOLATILITY_INDEX, FloatArray
from trading_lib.validation.price_history import QUIET_SCALE, PriceHistory, log_return
from trading_lib.validation.price_rules.dividends import shares_on_ex_dates
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

RULE = "dividends_already_in_price"
# A move beyond this many scales reflects the day's news and not the dividend.
CLIPPED_AT = 4.0
# A payment of more than this share of the price has findings of its own.
LARGEST_SHARE = 0.2
SPECIAL = 5.0
# Days before and after the ex-dates on which the same is measured; the day next to an ex-date may be one elsewhere.
SHIFTS = (0, *range(-15, -1), *range(2, 16))


@dataclass(frozen=True, slots=True)
class ExDateFall:
    """How far prices fall on ex-dates, in units of the stated dividends: 1 as they should, 0 not at all.

    Attributes
    ----------
    weight
        Sum of the squared dividends, each in scales of an ordinary move.
    sums
        Weighted falls on the ex-dates and on days beside them, one per entry of `SHIFTS`.
    """

    events: int
    weight: float
    sums: FloatArray

    @property
    def share(self) -> float:
        """Weighted mean fall."""
        return float(self.sums[0]) / self.weight

    @property
    def error(self) -> float:
        """Standard error of the share.

        Moves have fatter tails and cluster more than their scales say, so the days beside the ex-dates tell it.
        """
        beside = float(np.sqrt(np.mean(np.square(self.sums[1:])))) / self.weight
        return max(beside, 1 / float(np.sqrt(self.weight)))

    @property
    def errors_below_one(self) -> float:
        """How many standard errors the share is below 1."""
        return (1 - self.share) / self.error


def adjusted_price_findings(histories: Mapping[str, PriceHistory], rules: QualityRules) -> list[Finding]:
    """Find the symbols of one data set whose prices are adjusted for the dividends stated beside them.

    Returns
    -------
    One ERROR per symbol, dated by its last bar; the value is the share of the dividends by which the price falls.
    """
    falls: dict[str, tuple[ExDateFall, ExDateFall]] = {}
    for symbol, history in histories.items():
        both = _falls(history, rules)
        if both is not None and symbol != VOLATILITY_INDEX:
            falls[symbol] = both
    if not falls:
        return []
    pooled = [_together([both[kind] for both in falls.values()]) for kind in (0, 1)]
    export = len(falls) > 1 and _adjusted(pooled[0], pooled[1], rules.unadjusted_errors, rules)
    findings = []
    for symbol, both in falls.items():
        alone = _adjusted(both[0], both[1], rules.unadjusted_errors_alone, rules)
        if alone or (export and both[0].share < rules.largest_ex_date_share):
            findings.append(_finding(histories[symbol], both[0]))
    return findings


def _adjusted(overnight: ExDateFall, daily: ExDateFall, errors: float, rules: QualityRules) -> bool:
    """Whether both measures refuse a fall by the whole dividend, and few enough events are no accident."""
    most = rules.largest_ex_date_share
    enough = overnight.events >= rules.ex_date_events
    return enough and max(overnight.share, daily.share) < most and overnight.errors_below_one >= errors


def _falls(history: PriceHistory, rules: QualityRules) -> tuple[ExDateFall, ExDateFall] | None:
    """Falls from the close before to the opening and to the close; None where nothing can be said or asked."""
    if history.intraday or history.several_days or len(history) < rules.recent_bars:
        return None
    rows, stated, adjusted = shares_on_ex_dates(history)
    # An adjusted close that steps by the dividend proves that the close beside it is not adjusted.
    with np.errstate(invalid="ignore"):
        proven = np.abs(adjusted - stated) <= stated / 2
    if len(rows) and np.mean(proven) > 0.5:
        return None
    usable = (stated < LARGEST_SHARE) & (history.split[rows] == 1) & ~history.untraded[rows]
    if not usable.any():
        return None
    # One payment must not speak for all: what is far above the large ones is special, or wrong, and judged elsewhere.
    usable &= stated <= SPECIAL * float(np.quantile(stated[usable], 0.8, method="lower"))
    rows, sizes = rows[usable], -np.log1p(-stated[usable])
    daily = log_return(history.close)
    overnight = daily.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        opened = np.log(history.open[1:] / history.close[:-1])
    if np.isfinite(opened).all():
        overnight[1:] = opened
    return _fall(overnight, rows, sizes, rules), _fall(daily, rows, sizes, rules)


def _fall(moves: FloatArray, rows: NDArray[np.int64], sizes: FloatArray, rules: QualityRules) -> ExDateFall:
    last, window = len(moves) - 1, np.arange(-rules.recent_bars, rules.recent_bars + 1)
    near = moves[np.clip(rows[:, None] + window, 1, last)]
    centre = np.median(near, axis=1)
    scale = 1.4826 * np.median(np.abs(near - centre[:, None]), axis=1)
    # Prices that stand still have no scale of their own.
    scale = np.maximum(scale, np.where(scale > 0, 1e-4, QUIET_SCALE))
    at = np.clip(rows + np.array(SHIFTS)[:, None], 1, last)
    clipped = np.clip(moves[at] - centre, -sizes - CLIPPED_AT * scale, CLIPPED_AT * scale)
    sums = -(clipped * sizes / scale**2).sum(axis=1)
    return ExDateFall(len(sizes), float(np.sum((sizes / scale) ** 2)), sums)


def _together(falls: Sequence[ExDateFall]) -> ExDateFall:
    sums = np.sum([fall.sums for fall in falls], axis=0)
    return ExDateFall(sum(fall.events for fall in falls), sum(fall.weight for fall in falls), sums)


def _finding(history: PriceHistory, fall: ExDateFall) -> Finding:
    session = history.days[-1].item()
    message = (
        f"{history.symbol} {session}: the price falls by {fall.share:.0%} (+-{fall.error:.0%}) of the stated dividends"
        f" on {fall.events} ex-dates: it is adjusted for them already, and each would count twice; export unadjusted"
        " prices (yfinance: auto_adjust=False) or leave the dividends out"
    )
    return Finding(history.symbol, session, RULE, Severity.ERROR, fall.share, message)

"""Consistency of stated splits and prices. Input: `PriceHistory`. Output: findings.

A history may be raw (the close falls with the split on its day) or already adjusted (the split leaves no trace); both
are sound. A defect is a trace in the total return: the ratio shows on another day, in the wrong direction, or not
consistently on both sides of a block.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import BoolArray
from trading_lib.validation.price_history import PriceHistory
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules


def split_findings(history: PriceHistory, rules: QualityRules) -> list[Finding]:
    """Find moves around a split that are the split's own ratio; errors, one per bar."""
    if history.intraday or len(history) < 2:
        return []
    returns = np.nan_to_num(history.total_return)
    noise = rules.judgeable_scales * history.scale
    findings: dict[int, Finding] = {}
    for row in map(int, np.flatnonzero(history.split != 1)):
        ratio = float(history.split[row])
        expected = abs(np.log(ratio))
        if expected < noise:
            continue  # a small stock dividend cannot be told from a day's move
        first, last = max(row - rules.split_window, 1), min(row + rules.split_window, len(history) - 1)
        for at in range(first, last + 1):
            move = abs(float(returns[at]))
            residual = abs(move - expected)
            if move > noise and residual < rules.split_residual * min(move, expected) and at not in findings:
                findings[at] = _finding(history, at, row, ratio)
    return list(findings.values())


def split_rows(history: PriceHistory, findings: list[Finding]) -> BoolArray:
    """Rows that `split_findings` explained, so that no other rule reports them again."""
    days = np.array([finding.session for finding in findings], dtype="datetime64[D]")
    rows: BoolArray = np.isin(history.days, days)
    return rows


def _finding(history: PriceHistory, at: int, row: int, ratio: float) -> Finding:
    move = float(np.expm1(history.total_return[at]))
    session, day = history.days[at].item(), history.days[row]
    if at == row:
        text = f"moved {move:+.1%} on the day of the split {ratio:g}, which leaves its ratio in the adjusted price"
    else:
        text = f"moved {move:+.1%}, the ratio of the split {ratio:g} of {day}: prices around it are not adjusted alike"
    message = f"{history.symbol} {session}: the price {text}"
    return Finding(history.symbol, session, "split_not_reconciled", Severity.ERROR, move, message)

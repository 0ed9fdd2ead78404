"""Whether another source confirms a large move or a split. Input: `PriceHistory`, second opinions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import BoolArray
from trading_lib.validation.price_history import PriceHistory
from trading_lib.validation.price_rules.cross_source import SourceHistory
from trading_lib.validation.price_rules.unstated_splits import split_suspects, suspected_ratio, suspicion
from trading_lib.validation.report import Finding
from trading_lib.validation.rules import QualityRules

# Bars behind a suspicion, as when the bar arrives.
BARS = 300
SPLIT_ADJUSTED = ("split", "total_return")


def adjusted_symbols(frame: pd.DataFrame) -> frozenset[str]:
    """Symbols of price rows whose prices are known to be adjusted for splits."""
    return frozenset(map(str, frame.loc[frame["adjustment"].isin(SPLIT_ADJUSTED), "symbol"].unique()))


def witnessed(history: PriceHistory, others: Sequence[SourceHistory], ratio: float, rules: QualityRules) -> bool | None:
    """Whether others make the last move real (True) or a split (False); None where they say nothing, or both.

    A source whose prices may be raw cannot confirm a move: it would show an unstated split as well.
    """
    day, before = history.days[-1], history.days[-2]
    move = float(history.plain_return[-1])
    votes = set()
    for other in others:
        row = int(np.searchsorted(other.history.days, day))
        if row == 0 or row == len(other.history):
            continue
        if other.history.days[row] != day or other.history.days[row - 1] != before:
            continue
        seen = float(other.history.total_return[row])
        if other.knows_splits and abs(seen - move) <= max(rules.source_deviation, rules.confirmation * abs(move)):
            votes.add(True)
        elif abs(seen - move - np.log(ratio)) <= rules.source_deviation + 0.05 * abs(move + np.log(ratio)):
            votes.add(False)
    return votes.pop() if len(votes) == 1 else None


def unstated_split_findings(
    history: PriceHistory, others: Sequence[SourceHistory], decided: BoolArray, rules: QualityRules
) -> list[Finding]:
    """Find the first bar after every leap of a whole history that looks like an unstated split.

    ``decided`` marks rows about which something was ruled, shape (n,). A leap that another source knows to be real is
    none; one that the bars after it take back is left to the rules about spikes.
    """
    findings: list[Finding] = []
    rows = np.flatnonzero(split_suspects(history, rules))
    for row in map(int, rows):
        until_then = history.take(slice(max(0, row + 1 - BARS), row + 1))
        ratio = None if decided[row] else suspected_ratio(until_then, rules)
        if ratio is None or witnessed(until_then, others, ratio, rules) is True:
            continue
        returned = (
            findings and abs(np.log(ratio * float(findings[-1].value or 1.0))) < np.log(rules.smallest_price_ratio) / 2
        )
        if not returned:
            findings.append(suspicion(until_then, ratio, rules))
    return findings

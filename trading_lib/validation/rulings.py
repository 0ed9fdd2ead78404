"""Decisions about suspected splits. Input: `PriceRuling`s, `PriceHistory`. Output: the history with them.

A ruling of a split states it where the close shows it and the source does not; a ruling of a real move clears the bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.validation.price_history import PriceHistory

# A ruling may name a day on which its symbol has no usable bar; it then counts on the next one, if that is near.
NEAR_DAYS = np.timedelta64(10, "D")


Rulings = Mapping[str, tuple[PriceRuling, ...]]


@dataclass(frozen=True, eq=False)
class RuledHistory:
    """A history with the splits that were ruled.

    Attributes
    ----------
    split_rows
        Rows on which a ruling stated the split.
    real
        Rows whose move is ruled real, shape (n,).
    """

    history: PriceHistory
    split_rows: tuple[int, ...]
    real: BoolArray

    @property
    def decided(self) -> BoolArray:
        """Rows about which something was ruled, shape (n,)."""
        decided = self.real.copy()
        decided[list(self.split_rows)] = True
        return decided


def rulings_by_symbol(rulings: Iterable[PriceRuling]) -> Rulings:
    """Group rulings; of several about one day the last counts."""
    latest = {(ruling.symbol, ruling.session): ruling for ruling in rulings}
    grouped: dict[str, tuple[PriceRuling, ...]] = {}
    for (symbol, _), ruling in sorted(latest.items()):
        grouped[symbol] = (*grouped.get(symbol, ()), ruling)
    return grouped


def with_rulings(history: PriceHistory, rulings: Iterable[PriceRuling]) -> RuledHistory:
    """State the ruled splits on a copy; one that the source states by now changes nothing."""
    real = np.zeros(len(history), dtype=bool)
    rows: list[int] = []
    changed = history
    for ruling in rulings:
        day = np.datetime64(ruling.session)
        row = int(np.searchsorted(history.days, day))
        if row == 0 or row == len(history) or history.days[row] - day > NEAR_DAYS:
            continue
        if ruling.split is None:
            real[row] = True
        elif history.split[row] == 1 and _shows(history, row, ruling.split):
            changed = with_split(changed, row, ruling.split)
            rows.append(row)
    return RuledHistory(changed, tuple(rows), real)


def with_split(history: PriceHistory, row: int, ratio: float) -> PriceHistory:
    """State a split on ``row`` of a copy, and undo what its absence had implied.

    An adjusted close that ignores the split is brought to the new level before it. A dividend that was only the
    split's trace in the adjusted close, half of the price for 2:1, becomes what the trace leaves without the split.
    """
    split, dividend, adjusted = history.split.copy(), history.dividend.copy(), history.adj_close
    split[row] = ratio
    before, after = float(history.factor[row - 1]), float(history.factor[row])
    if np.isfinite(before) and np.isfinite(after):
        if abs(np.log(after / before)) < abs(np.log(ratio)) / 2:
            adjusted = _rescaled(adjusted, row, ratio)
        else:
            share = 1.0 - ratio * before / after
            implied = float(history.close[row - 1]) * (1.0 - before / after)
            if abs(np.nan_to_num(dividend[row]) - implied) <= 1e-3 * abs(implied):
                dividend[row] = max(0.0, float(history.close[row - 1]) * share / ratio) if share > 1e-3 else 0.0
    return replace(history, split=split, dividend=dividend, adj_close=adjusted)


def _rescaled(adjusted: FloatArray, row: int, ratio: float) -> FloatArray:
    changed = adjusted.copy()
    changed[:row] /= ratio
    return changed


def _shows(history: PriceHistory, row: int, ratio: float) -> bool:
    move = float(np.log(history.close[row] / history.close[row - 1]))
    return abs(move + float(np.log(ratio))) < abs(move)

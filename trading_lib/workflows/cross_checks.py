"""Second opinions about a source's bars, for the pipeline and the backtest alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from trading_lib.domain.prices import Bars
from trading_lib.market_data.source import CrossCheckedSource, MarketDataSource


def cross_checks(
    source: MarketDataSource, symbols: Sequence[str], first: date, last: date, as_of: datetime
) -> list[Bars]:
    """Second opinions of a source that has them."""
    if not isinstance(source, CrossCheckedSource):
        return []
    return [answer.bars for answer in source.cross_check(symbols, first, last, as_of)]

"""Fees that a coin paid which is neither the one traded nor USDT, such as BNB.

Input: trades of a pair as Binance lists them. Output: movements that name the trade; what its fee was worth is said by
the fill itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.binance.answers.amounts import amount, text, when, whole
from trading_lib.adapters.brokers.binance.answers.markets import QUOTE, Pair
from trading_lib.execution.broker import Movement, MovementKind


def coin_fees(records: Iterable[Mapping[str, Any]], pair: Pair, since: datetime) -> Iterator[Movement]:
    """Yield the fees of trades at ``since`` or later that another coin paid.

    Raises
    ------
    UnreadableError
        When a trade has no number, time, fee or coin of it.
    """
    for record in records:
        fee, at = amount(record, "commission"), when(record, "time")
        coin = text(record, "commissionAsset") if fee else QUOTE
        if at < since or coin in (QUOTE, pair.base):
            continue
        trade = f"{pair.name}-{whole(record, 'id')}"
        yield Movement(
            f"{trade}-{coin}", MovementKind.FEE, Decimal(0), pair.symbol, at, f"{fee:f} {coin}", trade_id=trade
        )

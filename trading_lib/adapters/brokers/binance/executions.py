"""Trades as Binance lists them, with their fees valued, as fills.

Input: JSON of a trade. Output: `Execution`. A fee in USDT is money; one in the bought coin is units that Binance keeps;
one in another coin, such as BNB, is valued at that coin's price of the minute.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.binance.access.client import BinanceClient
from trading_lib.adapters.brokers.binance.answers.amounts import (
    UnreadableError,
    amount,
    milliseconds,
    moment,
    text,
    when,
    whole,
    written,
)
from trading_lib.adapters.brokers.binance.answers.classification import (
    NO_SUCH_PAIR,
    Meaning,
    code_of,
    content_of,
    meaning_of,
)
from trading_lib.adapters.brokers.binance.answers.markets import QUOTE, Pair
from trading_lib.domain.book.orders import Side
from trading_lib.execution.broker import Execution

LOG = logging.getLogger(__name__)
# A price that is older than this is not that of the fill.
OLDEST_PRICE = timedelta(days=1)
NOTHING = Decimal(0)


class FeePrices:
    """Prices of coins in which fees were taken, at the minute of a fill: its first price, which does not change."""

    def __init__(self, client: BinanceClient) -> None:
        self._client = client
        self._known: dict[tuple[str, int], Decimal | None] = {}

    async def price(self, coin: str, at: datetime) -> Decimal | None:
        """Return the price in USDT, None where Binance has none.

        Raises
        ------
        BrokerUnavailableError
            When it cannot be asked now; the fill is then reported later, and not with a wrong fee.
        """
        minute = milliseconds(at) // 60_000 * 60_000
        if (coin, minute) not in self._known:
            self._known[coin, minute] = await self._ask(coin, minute)
        return self._known[coin, minute]

    async def _ask(self, coin: str, minute: int) -> Decimal | None:
        question = {"symbol": coin + QUOTE, "interval": "1m", "endTime": str(minute), "limit": "1"}
        reply = await self._client.question("public_get_klines", question)
        if code_of(reply) == NO_SUCH_PAIR:
            return None
        if meaning_of(reply) is not Meaning.ANSWERED:
            raise self._client.unavailable(f"does not tell what {coin} cost ({self._client.told(reply)})")
        candles = content_of(reply)
        if candles == []:
            return None
        try:
            begun, opening = moment(int(candles[-1][0])), amount({"open": candles[-1][1]}, "open")
        except (IndexError, KeyError, TypeError, ValueError):
            raise UnreadableError("is no list of candles") from None
        return opening if opening and begun > moment(minute) - OLDEST_PRICE else None


async def execution(
    record: Mapping[str, Any], client_order_id: str, pair: Pair, client: BinanceClient, prices: FeePrices
) -> Execution:
    """Return a trade as a fill; one that cannot be read raises `UnreadableError`.

    A fee in a coin that has no price is taken to be what the universe assumes of a fee, and the fill's raw text says
    so: the fill itself is known, and must not be lost for that.
    """
    quantity, price, fee = (amount(record, name) for name in ("qty", "price", "commission"))
    at, number, bought = when(record, "time"), whole(record, "id"), record.get("isBuyer")
    if not quantity or not price or not isinstance(bought, bool):
        raise UnreadableError(f"has a trade {number} without quantity, price or side")
    raw, units = dict(record), NOTHING
    coin = text(record, "commissionAsset") if fee else QUOTE
    if coin == QUOTE:
        commission = fee
    elif coin == pair.base:
        commission, units = fee * price, fee
    else:
        value = await prices.price(coin, at)
        commission = fee * value if value is not None else quantity * price * pair.commission_rate
        raw["valued"] = f"1 {coin} = {value} {QUOTE}" if value is not None else _assumed(coin, number, pair)
    return Execution(
        trade_id=f"{pair.name}-{number}",
        client_order_id=client_order_id,
        symbol=pair.symbol,
        side=Side.BUY if bought else Side.SELL,
        quantity=quantity,
        price=price,
        commission=commission,
        filled_at=at,
        fee_quantity=units,
        raw=client.raw(written(raw)),
    )


def _assumed(coin: str, number: int, pair: Pair) -> str:
    LOG.warning(
        "trade %s-%d: its fee is in %s, which has no price in %s; taken to be %s of its value",
        pair.name, number, coin, QUOTE, pair.commission_rate,
    )  # fmt: skip
    return f"no price of {coin} in {QUOTE}: the fee is taken to be {pair.commission_rate} of the trade's value"

"""The definitions of the account's markets, asked for once and kept for a while.

Input: a pair. Output: its `Market`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from trading_lib.adapters.brokers.binance.access.client import BinanceClient
from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError
from trading_lib.adapters.brokers.binance.answers.classification import (
    NO_SUCH_PAIR,
    Meaning,
    code_of,
    content_of,
    meaning_of,
)
from trading_lib.adapters.brokers.binance.answers.markets import Market, Pair, markets_from

# A market's filters change now and then, and a process may watch orders for days.
KEPT_SECONDS = 3_600.0


class MarketBook:
    """Definitions of the pairs of an account.

    Parameters
    ----------
    monotonic
        Seconds, to age them by.
    """

    def __init__(self, client: BinanceClient, pairs: Sequence[Pair], monotonic: Callable[[], float]) -> None:
        self._client, self._pairs, self._monotonic = client, pairs, monotonic
        self._markets: Mapping[str, Market] = {}
        self._asked_at = 0.0

    async def market(self, pair: Pair) -> Market:
        """Return the market of a pair.

        Raises
        ------
        BrokerUnavailableError
            When Binance does not say.
        """
        if not self._markets or self._monotonic() - self._asked_at > KEPT_SECONDS:
            self._markets = await self._asked([each.name for each in self._pairs])
            self._asked_at = self._monotonic()
        if pair.name not in self._markets:
            raise self._client.unavailable(f"has no market {pair.name}")
        return self._markets[pair.name]

    async def _asked(self, names: Sequence[str]) -> Mapping[str, Market]:
        """Return the markets that there are among ``names``: all of Binance's are megabytes."""
        wanted = json.dumps(names, separators=(",", ":"))
        reply = await self._client.question("public_get_exchangeinfo", {"symbols": wanted})
        if code_of(reply) == NO_SUCH_PAIR:
            # One that is gone must not keep the others from being traded.
            alone = [await self._asked([name]) for name in names] if len(names) > 1 else []
            return {name: market for found in alone for name, market in found.items()}
        if meaning_of(reply) is not Meaning.ANSWERED:
            raise self._client.unavailable(f"does not define its markets ({self._client.told(reply)})")
        try:
            return markets_from(content_of(reply))
        except UnreadableError as error:
            raise self._client.unavailable(f"does not define its markets: the answer {error}") from None

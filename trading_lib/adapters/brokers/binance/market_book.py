"""The definitions of the account's markets, asked for once and kept for a while.

Input: a pair. Output: its `Market`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from trading_lib.adapters.brokers.binance.access.client import BinanceClient
from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError
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
            # Of the account's pairs alone: all of them are megabytes.
            names = json.dumps([each.name for each in self._pairs], separators=(",", ":"))
            content = await self._client.read("public_get_exchangeinfo", {"symbols": names})
            try:
                self._markets = markets_from(content)
            except UnreadableError as error:
                raise self._client.unavailable(f"does not define its markets: the answer {error}") from None
            self._asked_at = self._monotonic()
        if pair.name not in self._markets:
            raise self._client.unavailable(f"has no market {pair.name}")
        return self._markets[pair.name]

"""Tiingo's end-of-day prices over REST. Input: symbols, dates. Output: raw bars with dividends and splits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.shared.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    HttpService,
    checked_address,
    vendor_with_key,
)
from trading_lib.adapters.sources.shared.per_symbol import bars_per_symbol
from trading_lib.adapters.sources.shared.rows import list_of_rows, midnight_dates, numbers, required
from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.instruments import AssetClass, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

NAME = "tiingo"
KEY_VARIABLE = "TRADING_TIINGO_API_KEY"
ADDRESS = "https://api.tiingo.com"
PRICES = ("open", "high", "low", "close", "volume")


class TiingoSource:
    """Daily bars from Tiingo: ETFs from its end-of-day prices, crypto from its crypto prices; it has no ^VIX.

    ``adj_close`` is left empty: Tiingo's adjusted prices change with every later dividend, and the dividends and
    splits that it states say the same.

    Parameters
    ----------
    universe
        Symbols that may be asked for.
    api_key
        Tiingo's token; travels in a header only.
    base_url
        Stands in for Tiingo's address.
    connect_seconds, read_seconds
        See `HttpService`.

    Raises
    ------
    MissingKeyError
        Without a key.
    """

    def __init__(
        self,
        universe: Universe,
        api_key: str | None,
        base_url: str = ADDRESS,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._universe = universe
        self._vendor = vendor_with_key(NAME, KEY_VARIABLE, api_key)
        headers = {"Authorization": f"Token {self._vendor.key}", "Accept": "application/json"}
        address = checked_address(NAME, base_url)
        self._service = HttpService(self._vendor, address, headers, connect_seconds, read_seconds)

    @property
    def name(self) -> str:
        """Always "tiingo"."""
        return NAME

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`."""
        return bars_per_symbol(
            NAME, self._universe, symbols, first, last, as_of, lambda symbol: self._history(symbol, first, last)
        )

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """No macro series: Tiingo has prices only."""
        require_aware(as_of, "as_of")
        return MacroSeries.empty()

    def _history(self, symbol: str, first: date, last: date) -> pd.DataFrame:
        if symbol == VOLATILITY_INDEX:
            raise SourceError(f"{NAME}: {symbol}: it has no such index", "use another source for it")
        window = {"startDate": first.isoformat(), "endDate": last.isoformat()}
        if self._universe[symbol].asset_class is AssetClass.CRYPTO:
            return self._crypto(symbol, window)
        path = f"/tiingo/daily/{quote(symbol, safe='')}/prices"
        content = self._service.get_json(symbol, path, {**window, "format": "json", "resampleFreq": "daily"})
        rows = list_of_rows(self._vendor, symbol, content)
        frame = self._frame(symbol, rows)
        split = numbers(self._vendor, symbol, rows, "splitFactor")
        return frame.assign(dividend=numbers(self._vendor, symbol, rows, "divCash"), split=split)

    def _crypto(self, symbol: str, window: dict[str, str]) -> pd.DataFrame:
        ticker = symbol.replace("-", "").lower()
        asked = {"tickers": ticker, "resampleFreq": "1day", **window}
        content = list_of_rows(self._vendor, symbol, self._service.get_json(symbol, "/tiingo/crypto/prices", asked))
        history: list[Any] = []
        for entry in content:
            if required(self._vendor, symbol, entry, "ticker") == ticker:
                history = required(self._vendor, symbol, entry, "priceData")
        return self._frame(symbol, list_of_rows(self._vendor, symbol, history)).assign(dividend=0.0, split=1.0)

    def _frame(self, symbol: str, rows: Any) -> pd.DataFrame:
        texts = [required(self._vendor, symbol, row, "date") for row in rows]
        columns = {name: numbers(self._vendor, symbol, rows, name) for name in PRICES}
        dates = midnight_dates(self._vendor, symbol, texts)
        return pd.DataFrame({"date": dates, **columns}).assign(symbol=symbol, adj_close=np.nan, adjustment="raw")

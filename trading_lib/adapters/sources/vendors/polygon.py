"""Polygon (now Massive) through its own client. Input: symbols, dates. Output: raw bars with dividends and splits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.shared.http import CONNECT_SECONDS, READ_SECONDS, checked_address, vendor_with_key
from trading_lib.adapters.sources.shared.per_symbol import bars_per_symbol
from trading_lib.adapters.sources.shared.rows import millisecond_dates, numbers
from trading_lib.domain.market.instruments import AssetClass, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, DateArray, FloatArray, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

if TYPE_CHECKING:
    from trading_lib.adapters.sources.vendors.polygon_session import PolygonSession

NAME = "polygon"
KEY_VARIABLE = "TRADING_POLYGON_API_KEY"
ADDRESS = "https://api.massive.com"
PRICES = ("open", "high", "low", "close")
BARS_PER_PAGE = 50_000
ACTIONS_PER_PAGE = 1_000
DOLLAR = "USD"


class PolygonSource:
    """Daily aggregates of Polygon, not adjusted, with its reference dividends and splits.

    Coins are asked for as ``X:BTCUSD`` (UTC days), ^VIX as ``I:VIX``. ``adj_close`` is left empty: the actions say it.

    Parameters
    ----------
    universe
        Symbols that may be asked for (and ^VIX).
    api_key
        Travels in a header only.
    base_url
        Stands in for the vendor's address.
    connect_seconds, read_seconds
        Longest wait for the connection, and for the next bytes of an answer.

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
        self._address = checked_address(NAME, base_url)
        self._timeouts = (connect_seconds, read_seconds)

    @property
    def name(self) -> str:
        """Always "polygon"."""
        return NAME

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`."""
        # The client is imported where it is used: every command line call reads this module.
        from trading_lib.adapters.sources.vendors.polygon_session import PolygonSession

        session = PolygonSession(self._vendor, self._address, *self._timeouts)

        def history(symbol: str) -> pd.DataFrame:
            return self._history(session, symbol, first, last)

        return bars_per_symbol(NAME, self._universe, symbols, first, last, as_of, history)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """No macro series are read from here."""
        require_aware(as_of, "as_of")
        return MacroSeries.empty()

    def _history(self, session: PolygonSession, symbol: str, first: date, last: date) -> pd.DataFrame:
        is_crypto = symbol != VOLATILITY_INDEX and self._universe[symbol].asset_class is AssetClass.CRYPTO
        ticker = vendor_ticker(symbol, is_crypto)
        aggregates = session.all(
            symbol,
            "list_aggs",
            ticker,
            1,
            "day",
            first.isoformat(),
            last.isoformat(),
            adjusted=False,
            sort="asc",
            limit=BARS_PER_PAGE,
        )
        rows = [vars(bar) for bar in aggregates]
        dates = millisecond_dates(
            self._vendor, symbol, [row["timestamp"] for row in rows], "UTC" if is_crypto else "New York"
        )
        columns = {name: self._prices(symbol, rows, name) for name in PRICES}
        frame = pd.DataFrame({"date": dates, **columns}).assign(
            symbol=symbol, volume=np.nan, adj_close=np.nan, dividend=0.0, split=1.0, adjustment="raw"
        )
        if symbol == VOLATILITY_INDEX or not rows:
            return frame
        frame["volume"] = numbers(self._vendor, symbol, rows, "volume")
        if not is_crypto:
            frame["dividend"] = self._dividends(session, symbol, dates, first, last)
            frame["split"] = self._splits(session, symbol, dates, first, last)
        return frame

    def _prices(self, symbol: str, rows: list[dict[str, Any]], name: str) -> FloatArray:
        # The client fills a field that is gone with None.
        if any(row[name] is None for row in rows):
            raise self._vendor.unreadable(symbol, f"has bars without {name!r}")
        return numbers(self._vendor, symbol, rows, name)

    def _dividends(self, session: PolygonSession, symbol: str, dates: DateArray, first: date, last: date) -> FloatArray:
        dividends = session.all(
            symbol,
            "list_dividends",
            ticker=symbol,
            ex_dividend_date_gte=first.isoformat(),
            ex_dividend_date_lte=last.isoformat(),
            limit=ACTIONS_PER_PAGE,
        )
        cash = np.zeros(len(dates))
        for dividend in dividends:
            self._same_ticker(symbol, dividend.ticker)
            if dividend.currency not in (None, DOLLAR):
                raise self._vendor.unreadable(symbol, f"has a dividend in {dividend.currency}, not in dollars")
            amount = self._positive(symbol, dividend.cash_amount, "cash_amount")
            # A regular and a special dividend may share their ex-date.
            cash[self._rows_from(symbol, dates, dividend.ex_dividend_date)] += amount
        return cash

    def _splits(self, session: PolygonSession, symbol: str, dates: DateArray, first: date, last: date) -> FloatArray:
        splits = session.all(
            symbol,
            "list_splits",
            ticker=symbol,
            execution_date_gte=first.isoformat(),
            execution_date_lte=last.isoformat(),
            limit=ACTIONS_PER_PAGE,
        )
        ratio = np.ones(len(dates))
        for split in splits:
            self._same_ticker(symbol, split.ticker)
            new = self._positive(symbol, split.split_to, "split_to")
            old = self._positive(symbol, split.split_from, "split_from")
            ratio[self._rows_from(symbol, dates, split.execution_date)] *= new / old
        return ratio

    def _same_ticker(self, symbol: str, ticker: Any) -> None:
        if ticker != symbol:
            raise self._vendor.unreadable(symbol, f"has an action of {ticker}")

    def _positive(self, symbol: str, value: Any, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise self._vendor.unreadable(symbol, f"has {str(value)!r} in {name!r}, which is no positive number")
        return float(value)

    def _rows_from(self, symbol: str, dates: DateArray, text: Any) -> slice:
        """First bar on or after a day; none when no such bar is there yet."""
        try:
            day = np.datetime64(date.fromisoformat(text))
        except (TypeError, ValueError):
            raise self._vendor.unreadable(symbol, f"has {str(text)!r} as the date of an action") from None
        position = int(np.searchsorted(dates, day))
        return slice(position, position + 1)


def vendor_ticker(symbol: str, is_crypto: bool) -> str:
    """Polygon's name of a symbol."""
    if symbol == VOLATILITY_INDEX:
        return "I:VIX"
    return f"X:{symbol.replace('-', '')}" if is_crypto else symbol

"""Binance and Bybit through ccxt. Input: symbols, dates. Output: bars of UTC days, and settled funding rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.shared.http import READ_SECONDS, checked_address
from trading_lib.adapters.sources.shared.per_symbol import bars_per_symbol
from trading_lib.adapters.sources.shared.positioning_windows import funding_window, stamp_funding
from trading_lib.adapters.sources.shared.rows import millisecond_dates
from trading_lib.adapters.sources.vendors.ccxt_session import QUOTE, CcxtSession
from trading_lib.domain.errors import ConfigurationError, SourceError
from trading_lib.domain.market.instruments import AssetClass, Universe
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.domain.market.prices import FloatArray, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import FundingAnswer, SourceAnswer

PRICES = ("open", "high", "low", "close", "volume")
DAY_MILLISECONDS = 86_400_000
BARS_PER_PAGE = 1_000
# Enough to contain the settlement before the window, which says how long the first interval was.
FUNDING_LOOKBACK = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class _FundingPages:
    """How an exchange pages its funding history: settlements per page, and whether a page holds the newest of them."""

    size: int
    newest_first: bool


FUNDING_PAGES = {"binance": _FundingPages(1_000, newest_first=False), "bybit": _FundingPages(200, newest_first=True)}


class CcxtSource:
    """Daily bars of crypto assets and funding rates of their perpetuals from one exchange; needs no key.

    A universe symbol such as BTC-USD is read from the spot market BTC/USDT, which the answer's notes say: prices are
    in tether, which is not always worth a dollar. A day is a UTC day; the one still running is left out.

    Parameters
    ----------
    exchange
        "binance" or "bybit".
    universe
        Its crypto assets may be asked for.
    base_url
        Stands in for every address of the exchange; None for its own.
    timeout_seconds
        Longest wait for the connection, and for the next bytes of an answer.
    rate_limited
        Whether requests are paced as the exchange asks.
    """

    def __init__(
        self,
        exchange: str,
        universe: Universe,
        base_url: str | None = None,
        timeout_seconds: float = READ_SECONDS,
        rate_limited: bool = True,
    ) -> None:
        if exchange not in FUNDING_PAGES:
            raise ConfigurationError(f"unknown exchange {exchange!r}", f"use one of {', '.join(FUNDING_PAGES)}")
        self._exchange = exchange
        self._universe = universe
        self._address = None if base_url is None else checked_address(exchange, base_url)
        self._timeout = timeout_seconds
        self._rate_limited = rate_limited

    @property
    def name(self) -> str:
        """Name of the exchange."""
        return self._exchange

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`."""
        bases = self._bases()
        session = self._session(tuple(bases.values()))

        def history(symbol: str) -> pd.DataFrame:
            if symbol not in bases:
                raise SourceError(f"{self.name}: {symbol} is no crypto asset", "use another source for it")
            return self._bars(session, symbol, bases[symbol], first, last)

        notes = tuple(
            f"{self.name}: {symbol} is priced in {QUOTE} ({bases[symbol]}/{QUOTE})"
            for symbol in dict.fromkeys(symbols)
            if symbol in bases
        )
        return bars_per_symbol(self.name, self._universe, symbols, first, last, as_of, history, notes)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """No macro series: an exchange has prices only."""
        require_aware(as_of, "as_of")
        return MacroSeries.empty()

    def funding(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> FundingAnswer:
        """Rates of perpetuals such as "BTC-USDT" settled in the date range; see `FundingSource.funding`."""
        moment = require_aware(as_of, "as_of")
        session = self._session(tuple(dict.fromkeys(symbol.partition("-")[0] for symbol in symbols)))
        pieces, errors = [], {}
        for symbol in dict.fromkeys(symbols):
            try:
                pieces.append(self._funding(session, symbol, first, last))
            except SourceError as error:
                errors[symbol] = error
        rows = [piece for piece in pieces if len(piece)]
        rates = stamp_funding(pd.concat(rows, ignore_index=True), self.name) if rows else FundingRates.empty()
        asked = [symbol for symbol in symbols if symbol not in errors]
        response = funding_window(rates, self.name, asked, first, last, moment)
        failures = {symbol: str(error) for symbol, error in errors.items()}
        return FundingAnswer(response.rates, {**failures, **response.failures}, errors)

    def _bases(self) -> dict[str, str]:
        return {i.symbol: i.symbol.partition("-")[0] for i in self._universe if i.asset_class is AssetClass.CRYPTO}

    def _session(self, bases: tuple[str, ...]) -> CcxtSession:
        return CcxtSession(self._exchange, bases, self._address, self._timeout, self._rate_limited)

    def _bars(self, session: CcxtSession, symbol: str, base: str, first: date, last: date) -> pd.DataFrame:
        rows: list[list[Any]] = []
        for start, end in _pages(first, last):
            candles = session.call(symbol, "fetch_ohlcv", f"{base}/{QUOTE}", "1d", start, BARS_PER_PAGE, {"until": end})
            rows += _rows(session, symbol, candles)
        stamps = [row[0] for row in rows]
        dates = millisecond_dates(session.vendor, symbol, stamps, "UTC")
        columns: dict[str, FloatArray] = {}
        for position, name in enumerate(PRICES, start=1):
            if any(row[position] is None for row in rows):
                raise session.vendor.unreadable(symbol, f"has bars without {name!r}")
            columns[name] = np.array([row[position] for row in rows], dtype=np.float64)
        return pd.DataFrame({"date": dates, **columns}).assign(
            symbol=symbol, adj_close=np.nan, dividend=0.0, split=1.0, adjustment="raw"
        )

    def _funding(self, session: CcxtSession, symbol: str, first: date, last: date) -> pd.DataFrame:
        base, _, quote = symbol.partition("-")
        if quote != QUOTE:
            raise SourceError(f"{self.name}: {symbol} is no perpetual against {QUOTE}", f"ask for {base}-{QUOTE}")
        low, high = _milliseconds(first - FUNDING_LOOKBACK), _milliseconds(last) + DAY_MILLISECONDS - 1
        rates = _settlements(session, symbol, FUNDING_PAGES[self._exchange], low, high)
        settled = pd.to_datetime(np.array(sorted(rates), dtype="int64"), unit="ms", utc=True).as_unit("us")
        return pd.DataFrame({"settled_at": settled, "rate": [rates[stamp] for stamp in sorted(rates)]}).assign(
            venue=self._exchange, symbol=symbol
        )


def _settlements(session: CcxtSession, symbol: str, pages: _FundingPages, low: int, high: int) -> dict[int, float]:
    """All settlements of ``low <= milliseconds <= high``, page by page in the direction the exchange gives them."""
    contract = f"{symbol.replace('-', '/')}:{QUOTE}"
    rates: dict[int, float] = {}
    while low <= high:
        page = session.call(symbol, "fetch_funding_rate_history", contract, low, pages.size, {"until": high})
        new = {}
        for entry in page:
            stamp, rate = entry.get("timestamp"), entry.get("fundingRate")
            if stamp is None or rate is None:
                raise session.vendor.unreadable(symbol, "has settlements without time or rate")
            new[int(stamp)] = float(rate)
        fresh = new.keys() - rates.keys()
        rates.update(new)
        if len(new) < pages.size or not fresh:
            break
        if pages.newest_first:
            high = min(new) - 1
        else:
            low = max(new) + 1
    return rates


def _rows(session: CcxtSession, symbol: str, candles: Any) -> list[list[Any]]:
    if not isinstance(candles, list) or any(not isinstance(row, list) or len(row) != 6 for row in candles):
        raise session.vendor.unreadable(symbol, "is no list of bars")
    return candles


def _pages(first: date, last: date) -> list[tuple[int, int]]:
    """Windows of at most `BARS_PER_PAGE` days, as milliseconds of their first and last instant."""
    begin, end = _milliseconds(first), _milliseconds(last) + DAY_MILLISECONDS
    step = BARS_PER_PAGE * DAY_MILLISECONDS
    return [(start, min(start + step, end) - 1) for start in range(begin, end, step)]


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)

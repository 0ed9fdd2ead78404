"""Yahoo Finance through the yfinance client. Input: symbols, dates. Output: raw bars with dividends and splits.

Yahoo's prices are adjusted for every split up to the day they are fetched, so a stored history would change under a
split. This source asks for everything up to the present and undoes the splits: rows are raw, as traded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.bar_windows import answer_from_history, stamp_bars
from trading_lib.domain.errors import ConfigurationError, SourceError
from trading_lib.domain.instruments import TradingCalendar, Universe
from trading_lib.domain.prices import VOLATILITY_INDEX, Bars, FloatArray, MacroSeries
from trading_lib.domain.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

if TYPE_CHECKING:
    from trading_lib.adapters.sources.yahoo_session import YahooSession

DEFAULT_TIMEOUT_SECONDS = 20.0
COLUMN_NAMES = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
    "Dividends": "dividend",
    "Stock Splits": "split",
}
PRICE_COLUMNS = ("open", "high", "low", "close")
# Holds the folder this process decided on; a temporary one lives as long as it is held.
_cache_holder: list[Path | tempfile.TemporaryDirectory[str]] = []


class YFinanceSource:
    """Daily bars from Yahoo Finance; needs no key.

    Parameters
    ----------
    universe
        Symbols that may be asked for (and ^VIX).
    base_url
        Address that stands in for every Yahoo host, e.g. a recording proxy; None for Yahoo itself.
    cache_folder
        Where the client keeps time zones and cookies. The client has one such folder per process, so the first
        source decides; without one a temporary folder is used. Nothing is written elsewhere.
    timeout_seconds
        Longest wait for one answer.
    """

    def __init__(
        self,
        universe: Universe,
        base_url: str | None = None,
        cache_folder: Path | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        if base_url is not None and not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"yfinance base_url {base_url!r} is no address", "start it with http:// or https://"
            )
        self._universe = universe
        self._base_url = base_url
        self._cache_folder = cache_folder
        self._timeout = timeout_seconds

    @property
    def name(self) -> str:
        """Always "yfinance"."""
        return "yfinance"

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`.

        Today's bar is left out until it is complete. Each symbol is one request; whatever goes wrong with it is
        its own failure.
        """
        moment = require_aware(as_of, "as_of")
        from trading_lib.adapters.sources.yahoo_session import YahooSession

        _use_cache_folder(self._cache_folder)
        pieces: list[pd.DataFrame] = []
        failures: dict[str, str] = {}
        with YahooSession(self._base_url) as session, _client_errors_raised():
            for symbol in dict.fromkeys(symbols):
                try:
                    pieces.append(self._history(symbol, first, session))
                except SourceError as error:
                    failures[symbol] = str(error)
        wanted = [symbol for symbol in dict.fromkeys(symbols) if symbol not in failures]
        history = Bars.empty()
        if pieces:
            history = stamp_bars(pd.concat(pieces, ignore_index=True), self._universe, self.name)
        answer = answer_from_history(history, self.name, wanted, first, last, moment)
        return SourceAnswer(answer.bars, {**failures, **answer.failures})

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """No macro series: Yahoo has prices only."""
        require_aware(as_of, "as_of")
        return MacroSeries.empty()

    def _history(self, symbol: str, first: date, session: YahooSession) -> pd.DataFrame:
        """Everything from ``first`` to the present, so that every later split is seen."""
        import yfinance

        if symbol != VOLATILITY_INDEX and symbol not in self._universe.symbols:
            raise SourceError(f"yfinance: {symbol} is not in the universe", "add it to the universe or leave it out")
        zone = "America/New_York"
        if symbol != VOLATILITY_INDEX and self._universe[symbol].calendar is TradingCalendar.ALWAYS:
            zone = "UTC"
        # Telling the client the zone saves a request per symbol whose failure it would remember for the process.
        yfinance.cache.get_tz_cache().store(symbol, zone)
        try:
            frame = yfinance.Ticker(symbol, session=session).history(
                start=first.isoformat(), interval="1d", auto_adjust=False, actions=True, timeout=self._timeout
            )
        except Exception as error:  # whatever the client's parsing trips over must cost this symbol only
            raise SourceError(f"yfinance: {symbol}: {_reason(error, session.last_status)}") from error
        if frame.empty:
            raise SourceError(f"yfinance: {symbol}: Yahoo has no bars from {first} on")
        return _raw_rows(symbol, frame)


def _reason(error: Exception, status: int | None) -> str:
    """Say in one line what went wrong, by the HTTP status first: the client's own words often hide it."""
    detail = " ".join(str(error).split())[:160]
    if status == 429:
        return "Yahoo answered HTTP 429 (too many requests): wait, then ask again"
    if status == 404:
        return f"Yahoo does not know it (HTTP 404: {detail})"
    if status is not None and status >= 400:
        return f"Yahoo answered HTTP {status}: try again later"
    if isinstance(error, ValueError) and status is not None:
        return f"Yahoo's answer is no valid JSON ({detail}): try again later"
    return f"{type(error).__name__}: {detail}"


def _raw_rows(symbol: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Yahoo's split-adjusted frame -> rows as traded: prices and dividends times every later split."""
    rows = frame.rename(columns=COLUMN_NAMES)[list(COLUMN_NAMES.values())].astype("float64").reset_index(drop=True)
    stated = rows["split"].to_numpy()
    split = np.where(stated > 0, stated, 1.0)
    later = _product_of_later(split)
    for column in (*PRICE_COLUMNS, "dividend"):
        rows[column] *= later
    rows["volume"] /= later
    if symbol == VOLATILITY_INDEX:
        rows["volume"] = np.nan
    dates = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
    rows = rows.assign(symbol=symbol, date=dates.to_numpy(), split=split, adjustment="raw")
    return rows.drop_duplicates("date")


def _product_of_later(split: FloatArray) -> FloatArray:
    upward: FloatArray = split[::-1].cumprod()[::-1]
    return np.append(upward[1:], 1.0)


@contextmanager
def _client_errors_raised() -> Iterator[None]:
    """Make the client raise errors, which it logs and hides unless told; the setting is global, so it is put back."""
    import yfinance

    debug: Any = yfinance.config.debug
    hidden = debug.hide_exceptions
    debug.hide_exceptions = False
    try:
        yield
    finally:
        debug.hide_exceptions = hidden


def _use_cache_folder(folder: Path | None) -> None:
    """Point the client's cache at ``folder`` the first time this is called in the process."""
    if _cache_holder:
        return
    import yfinance

    if folder is None:
        temporary = tempfile.TemporaryDirectory(prefix="yfinance-")
        _cache_holder.append(temporary)
        folder = Path(temporary.name)
    else:
        _cache_holder.append(folder)
    yfinance.cache.set_cache_location(str(folder))

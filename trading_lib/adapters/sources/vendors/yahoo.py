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

from trading_lib.adapters.sources.shared.http import Vendor, checked_address
from trading_lib.adapters.sources.shared.per_symbol import bars_per_symbol
from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, FloatArray, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

if TYPE_CHECKING:
    from trading_lib.adapters.sources.vendors.yahoo_session import YahooSession

NAME = "yfinance"
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
VENDOR = Vendor(NAME)
# What the client raises when Yahoo answered and has nothing.
ANSWERED_WITHOUT_BARS = ("YFPricesMissingError", "YFTzMissingError", "YFInvalidPeriodError")
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
        self._universe = universe
        self._base_url = None if base_url is None else checked_address(NAME, base_url)
        self._cache_folder = cache_folder
        self._timeout = timeout_seconds

    @property
    def name(self) -> str:
        """Always "yfinance"."""
        return NAME

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`.

        Today's bar is left out until it is complete. Each symbol is one request; whatever goes wrong with it is
        its own failure.
        """
        require_aware(as_of, "as_of")
        from trading_lib.adapters.sources.vendors.yahoo_session import YahooSession

        _use_cache_folder(self._cache_folder)
        with YahooSession(self._base_url) as session, _client_errors_raised():
            return bars_per_symbol(
                NAME, self._universe, symbols, first, last, as_of, lambda symbol: self._history(symbol, first, session)
            )

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """No macro series: Yahoo has prices only."""
        require_aware(as_of, "as_of")
        return MacroSeries.empty()

    def _history(self, symbol: str, first: date, session: YahooSession) -> pd.DataFrame:
        """Everything from ``first`` to the present, so that every later split is seen."""
        import yfinance

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
            raise _typed(symbol, error, session) from None
        if frame.empty:
            return pd.DataFrame()
        return _raw_rows(symbol, frame)


def _typed(symbol: str, error: Exception, session: YahooSession) -> SourceError:
    """Say in one line what went wrong, by the HTTP status first: the client's own words often hide it."""
    detail = " ".join(str(error).split())
    if session.last_status is None:
        return VENDOR.unreachable(symbol, f"Yahoo cannot be reached ({type(error).__name__}: {detail})")
    if session.last_status >= 300:
        return VENDOR.status_error(symbol, session.last_status, session.last_headers, detail)
    if isinstance(error, ValueError):
        return VENDOR.unreadable(symbol, f"is no valid JSON ({detail})")
    if type(error).__name__ in ANSWERED_WITHOUT_BARS:
        return SourceError(f"{NAME}: {symbol}: Yahoo has no bars of it ({VENDOR.safe(detail)})")
    return VENDOR.unreadable(symbol, f"cannot be taken apart ({type(error).__name__}: {detail})")


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

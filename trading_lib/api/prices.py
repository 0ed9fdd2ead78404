"""Prices for a notebook or a script: `load_prices` and what it returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.own_source import OwnSource
from trading_lib.api.days import Day, day_of
from trading_lib.api.strategies import found_file, reference_of
from trading_lib.domain.errors import InputError, UnknownSymbolError, one_of
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, MacroSeries
from trading_lib.market_data.source import MarketDataSource
from trading_lib.session.window import window_rows
from trading_lib.workflows.data.market import LoadedSource, market_from_source
from trading_lib.workflows.research.continued_market import WARM_UP_SESSIONS
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import SIMULATED, choose_source, offline_source, research_source

# Markets of different ends that are kept for further runs.
KEPT = 4
FINDING_COLUMNS = {"symbol": "str", "date": "datetime64[us]", "rule": "str", "severity": "str", "message": "str"}


@dataclass(frozen=True, eq=False)
class Prices:
    """Daily prices of the universe, checked, with the window that runs on them have unless they name another.

    `load_prices` makes it; a run reads all history before its window as well, for its factors look back a year.

    Attributes
    ----------
    source
        Where the bars come from.
    folder
        The folder that was read, None where none was.
    only
        Symbols that were chosen, None for all of the universe.
    start, end
        First and last day of the window, None where nothing was asked for: then `window` says what it is.
    """

    source: MarketDataSource
    folder: Path | None = None
    only: tuple[str, ...] | None = None
    start: date | None = None
    end: date | None = None
    # What was built already: a run that ends elsewhere must not see a day more than its window.
    _built: list[tuple[Universe, date, LoadedSource]] = field(default_factory=list, init=False, repr=False)

    def loaded(self, settings: Settings, last: date | None = None) -> LoadedSource:
        """Build the market as it stands at ``last``, by default the last day asked for or the newest session.

        This is what the functions of this package call.
        """
        universe = settings.configuration.universe
        until = last or self.end or settings.calendar.latest_with_data(settings.clock())
        for assets, day, loaded in self._built:
            if day == until and assets == universe:
                return loaded
        now = settings.clock()
        loaded = market_from_source(self.source, universe, settings.calendar, until, now, self.only)
        self._built[:] = [*self._built[1 - KEPT :], (universe, until, loaded)]
        return loaded

    @cached_property
    def _whole(self) -> LoadedSource:
        return self.loaded(load_settings())

    @cached_property
    def window(self) -> tuple[date, date]:
        """First and last session of a run that names none.

        The first is the one asked for, or the first that a year of history precedes; the last the one asked for, or the
        newest.
        """
        sessions = self._whole.market.panel.sessions
        first = self.start or sessions[min(WARM_UP_SESSIONS, len(sessions) - 1)].item()
        return first, self.end or sessions[-1].item()

    @property
    def data_source(self) -> str:
        """What every report calls these prices, e.g. "files:prices" or "simulated"."""
        return self._whole.market.panel.source

    @property
    def simulated(self) -> bool:
        """Whether the prices are made up."""
        return SIMULATED in self.data_source.lower()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the universe that have prices, in its order."""
        panel = self._whole.market.panel
        return tuple(s for s, prices in zip(panel.symbols, panel.close.T, strict=True) if np.isfinite(prices).any())

    @property
    def absent(self) -> dict[str, str]:
        """Symbol -> why it has no bar; ^VIX among them."""
        return dict(self._whole.answer.failures)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the source says about its data, e.g. which files were taken."""
        return self._whole.answer.notes

    @property
    def bars(self) -> pd.DataFrame:
        """Bars that were accepted, one row per symbol and day from the beginning of the history, ^VIX among them.

        Columns: symbol (str), date (datetime64[us]), open, high, low, close (float64, raw dollars; ^VIX in points),
        adj_close (float64, the vendor's, NaN where it gives none), volume (float64, units, NaN where unknown), dividend
        (float64, dollars per share on the ex-date), split (float64, new shares per old one), source, adjustment (str),
        available_at (datetime64[us, UTC], when the bar could first be known).
        """
        return self._whole.validation.accepted.frame.copy()

    @property
    def close(self) -> pd.DataFrame:
        """Newest known raw close at each session, dollars: one column per symbol with prices, index ``session``.

        Shape (sessions, symbols), float64, index datetime64[us]. A missing bar carries the last one forward; NaN before
        a symbol's first.
        """
        panel = self._whole.market.panel
        index = pd.DatetimeIndex(panel.sessions.astype("datetime64[us]"), name="session")
        return pd.DataFrame(panel.close, index=index, columns=list(panel.symbols))[list(self.symbols)]

    @property
    def macro(self) -> MacroSeries:
        """Macro series the source has, such as the cash rate."""
        return self._whole.macro

    @property
    def findings(self) -> pd.DataFrame:
        """What validation found, one row each; bars of severity ERROR are kept out of every decision.

        Columns: symbol, date (datetime64[us]), rule, severity ("ERROR" or "WARNING"), message; all others str.
        """
        rows = [(f.symbol, f.session, f.rule, f.severity.value, f.message) for f in self._whole.validation.findings]
        return pd.DataFrame(rows, columns=list(FINDING_COLUMNS)).astype(FINDING_COLUMNS)

    def __repr__(self) -> str:
        first, last = self.window
        said = "SIMULATED prices, no real market" if self.simulated else f"prices of {self.data_source}"
        sessions = self._whole.market.panel.sessions
        return (
            f"<Prices: {said}, {len(self.symbols)} symbols, window {first} to {last}, "
            f"history {sessions[0]} to {sessions[-1]}, {len(self._whole.validation.quarantined)} bars quarantined>"
        )


def load_prices(
    folder: str | PathLike[str] | None = None,
    symbols: Iterable[str] | None = None,
    start: Day | None = None,
    end: Day | None = None,
    *,
    source: Any = None,
) -> Prices:
    """Read and check daily prices, as ``trading backtest --data`` does.

    Parameters
    ----------
    folder
        Of CSV or Parquet files (docs/data/real-data.md). None reads the default of sources.yaml: as shipped the
        simulated market, whose prices are made up, and everything that rests on them says so.
    symbols
        Of the universe (universe.yaml) that are wanted; the others are as absent as if there were no prices of them.
        None takes all. ^VIX always comes along.
    start, end
        Window of the runs on these prices, "YYYY-MM-DD" or a date; both ends belong to it. Nothing after ``end`` is
        read. Without ``start`` a window begins after a year of history, without ``end`` it is the newest session's.
        All history before ``start`` is read as well, for factors look back a year.
    source
        A source of your own instead of a folder: its class, or ``file.py:Class`` (docs/data/sources.md).

    Returns
    -------
    Prices
        `bars` and `close` are DataFrames; NaN stands where nothing is known, never 0.

    Raises
    ------
    DataFileError
        When the folder or a file in it cannot be used; names file, row and column.
    UnknownSymbolError
        When a symbol is not in the universe.
    SessionError
        When the data does not cover the window, or a date is none.
    ConfigurationError
        When the class of ``source`` is none.

    Examples
    --------
    >>> import trading_lib as tl
    >>> prices = tl.load_prices(start="2018-01-02", end="2019-12-31")
    >>> prices.simulated
    True
    """
    settings = load_settings()
    universe = settings.configuration.universe
    first = None if start is None else day_of(start, "start")
    last = None if end is None else day_of(end, "end")
    chosen, read = _source(folder, source, settings)
    prices = Prices(chosen, read, _of_universe(symbols, universe), first, last)
    window_rows(prices.loaded(settings).market.panel, settings.calendar, *prices.window)
    return prices


def _source(folder: Any, source: Any, settings: Settings) -> tuple[MarketDataSource, Path | None]:
    data = path_of(folder, "folder")
    if source is None:
        return research_source(data, settings), choose_source(None, data, settings).folder
    if data is not None:
        raise InputError(f"a source reads no folder, so {data} would count for nothing", "leave one out")
    if isinstance(source, type):
        return OwnSource(reference_of(source), settings.configuration.universe, source), None
    if not isinstance(source, str):
        raise InputError(f"source {source!r} is no class", "give the class itself, or 'file.py:Class'")
    chosen = choose_source(found_file(source), None, settings)
    return offline_source(chosen.kind, None, settings), None


def path_of(given: Any, name: str) -> Path | None:
    """Return a path that was given as text or path; None for none.

    Parameters
    ----------
    name
        Of the argument, for the message.

    Raises
    ------
    InputError
        When it is neither.
    """
    if given is None:
        return None
    if not isinstance(given, str | PathLike):
        raise InputError(f"{name} of type {type(given).__name__} is no path", "give a text or a path")
    return Path(given).expanduser()


def _of_universe(symbols: Iterable[str] | None, universe: Universe) -> tuple[str, ...] | None:
    if symbols is None:
        return None
    if not isinstance(symbols, Iterable):
        raise InputError(f"symbols {symbols!r} are none", "give a list, e.g. ['SPY', 'GLD']")
    chosen = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    for symbol in chosen:
        if symbol not in universe.symbols and symbol != VOLATILITY_INDEX:
            raise UnknownSymbolError(f"{symbol} is not in the universe", one_of(str(symbol), universe.symbols))
    if not set(chosen) - {VOLATILITY_INDEX}:
        raise InputError("symbols names no asset", "leave it out, or name at least one")
    return chosen

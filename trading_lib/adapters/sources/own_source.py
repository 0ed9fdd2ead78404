"""User-defined sources: the class by its reference, and a check of every answer against the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import pandas as pd

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.sources.catalogue import SOURCES
from trading_lib.adapters.user_code.error_place import kind_and_line
from trading_lib.adapters.user_code.guard import NoExit, is_users_error
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.domain.errors import ConfigurationError, SourceError, SourceUnavailableError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import BAR_COLUMNS, MACRO_COLUMNS, Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

Answer = TypeVar("Answer")
SEE = "see docs/data/sources.md"
METHODS = ("bars", "macro")
LONGEST_NAME = 64
# These mean that the class is wrong; whatever else it raises is taken for trouble with the place it reads.
DEFECTS = (TypeError, KeyError, AttributeError, NameError)


def own_source_class(reference: str) -> type[Any]:
    """Return the class a reference names: ``file.py:Class`` in include/sources, or ``package.module:Class``.

    Raises
    ------
    ConfigurationError
        When it cannot be loaded, lacks a method of `MarketDataSource`, or has no name for its rows.
    """
    return checked_class(load_class(reference, include_folder() / "sources", "source"), reference)


def checked_class(source: type[Any], reference: str) -> type[Any]:
    """Return a class that can be a source; see `own_source_class`."""
    missing = [method for method in METHODS if not callable(getattr(source, method, None))]
    if missing:
        raise ConfigurationError(f"source {reference} has no method {missing[0]}", SEE)
    name = getattr(source, "name", None)
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or ":" in name:
        raise ConfigurationError(
            f"source {reference} has no name for its rows",
            f"give its class `name`, a text of 1 to {LONGEST_NAME} characters without a colon",
        )
    if name in {entry.name for entry in SOURCES}:
        raise ConfigurationError(f"source {reference} calls its rows {name!r}, as a source of the system", "rename it")
    return source


class OwnSource:
    """A user's source; an answer that is not what `MarketDataSource` promises is refused before it is stored.

    An exception of the class is reported by its kind and line, never by its text, which could contain a key.

    Parameters
    ----------
    reference
        ``file.py:Class`` or ``package.module:Class``.
    given
        The class itself where a caller has it at hand; ``reference`` then only names it.
    """

    def __init__(self, reference: str, universe: Universe, given: type[Any] | None = None) -> None:
        source = own_source_class(reference) if given is None else checked_class(given, reference)
        self._reference = reference
        self.name: str = source.name
        try:
            with NoExit():
                self._source = source(universe)
        except (SourceError, ConfigurationError):
            raise
        except BaseException as error:
            if not is_users_error(error):
                raise
            raise ConfigurationError(
                f"source {reference} cannot be created ({kind_and_line(error)})", f"correct its class, {SEE}"
            ) from None

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols``; see `MarketDataSource.bars`."""
        moment = require_aware(as_of, "as_of")
        response = self._asked(lambda: self._source.bars(symbols, first, last, as_of))
        if not isinstance(response, SourceAnswer) or not isinstance(response.bars, Bars):
            raise self._wrong("bars", "answers no SourceAnswer with Bars")
        frame = response.bars.frame
        self._check_rows("bars", frame, BAR_COLUMNS, "symbol", first, last, moment)
        unasked = sorted(set(frame["symbol"]) - set(symbols))
        if unasked:
            raise self._wrong("bars", f"has bars of {unasked[0]}, which nobody asked for")
        silent = [
            symbol for symbol in symbols if symbol not in response.failures and symbol not in set(frame["symbol"])
        ]
        if silent:
            raise self._wrong("bars", f"has neither bars of {silent[0]} nor a failure that says why")
        return response

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro series, see `MacroSource.macro`."""
        moment = require_aware(as_of, "as_of")
        series = self._asked(lambda: self._source.macro(first, last, as_of))
        if not isinstance(series, MacroSeries):
            raise self._wrong("macro", "answers no MacroSeries")
        self._check_rows("macro", series.frame, MACRO_COLUMNS, "series", first, last, moment)
        return series

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        try:
            with NoExit():
                return ask()
        except (SourceError, ConfigurationError):
            raise
        except Exception as error:
            if isinstance(error, DEFECTS):
                raise self._broken(error) from None
            raise SourceUnavailableError(f"{self.name}: its class failed with {kind_and_line(error)}", SEE) from None
        except BaseException as error:  # an end of the process
            if not is_users_error(error):
                raise
            raise self._broken(error) from None

    def _broken(self, error: BaseException) -> ConfigurationError:
        return ConfigurationError(
            f"source {self._reference} is broken: {kind_and_line(error)}", f"correct its class, {SEE}"
        )

    def _check_rows(
        self,
        method: str,
        frame: pd.DataFrame,
        columns: dict[str, str],
        key: str,
        first: date,
        last: date,
        as_of: datetime,
    ) -> None:
        for column, kind in columns.items():
            if column not in frame:
                raise self._wrong(method, f"has no column {column!r}")
            if str(frame[column].dtype) != kind:
                raise self._wrong(method, f"has {column!r} as {frame[column].dtype}, not {kind}")
        further = [str(column) for column in frame if column not in columns]
        if further:
            raise self._wrong(method, f"has a column {further[0]!r} that no source has")
        if not set(frame["source"]) <= {self.name}:
            raise self._wrong(method, f"has rows whose source is not its name {self.name!r}")
        if not frame["date"].between(pd.Timestamp(first), pd.Timestamp(last)).all():
            raise self._wrong(method, f"has rows before {first} or after {last}")
        if not (frame["available_at"] <= pd.Timestamp(as_of)).all():
            raise self._wrong(method, f"has rows not known at {as_of:%Y-%m-%d %H:%M %Z}, or without available_at")
        if method == "bars" and frame.duplicated([key, "date"]).any():
            raise self._wrong(method, "has two rows of one symbol and day")

    def _wrong(self, method: str, what: str) -> ConfigurationError:
        return ConfigurationError(f"source {self._reference}: {method} {what}", f"correct its class, {SEE}")

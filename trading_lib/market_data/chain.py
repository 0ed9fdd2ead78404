"""Several sources as one. Input: sources in order per kind of data. Output: a source that falls back per symbol.

A symbol goes to the next source when one does not deliver it, and also when one delivers it without the newest bar that
is due: then only what is missing is asked for. Bars keep the name of the source they came from. A symbol that no source
delivers is a failure; one with older bars only is reported as stale. Nothing is carried forward.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pandas as pd

from trading_lib.domain.errors import SourceError, SourceSkippedError, SourceUnavailableError
from trading_lib.domain.market.instruments import AssetClass, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.availability.expected_bars import inception_of, newest_due
from trading_lib.market_data.config import Route
from trading_lib.market_data.source import MacroSource, MarketDataSource, SourceAnswer

CHAIN = "chain"
ONE_DAY = timedelta(days=1)


@dataclass
class _Delivery:
    """What sources have delivered for one symbol so far."""

    symbol: str
    frames: list[pd.DataFrame] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def newest(self) -> date | None:
        """Newest date of any bar."""
        newest: date | None = max((frame["date"].max().date() for frame in self.frames), default=None)
        return newest


class SourceChain:
    """Market data from the first source that has it.

    Parameters
    ----------
    universe
        Decides which route a symbol takes, and when its history begins.
    routes
        Route of bars -> sources, first one first. An empty list is allowed and makes its symbols failures.
    macro_sources
        In order; a series comes from the first that has it.
    skipped
        Lines about sources that were left out, e.g. for want of a key; they lead the notes of every answer.
    """

    def __init__(
        self,
        universe: Universe,
        routes: Mapping[Route, Sequence[MarketDataSource]],
        macro_sources: Sequence[MacroSource] = (),
        skipped: Sequence[str] = (),
    ) -> None:
        self._universe = universe
        self._routes = routes
        self._macro_sources = tuple(macro_sources)
        self._skipped = tuple(skipped)

    @property
    def name(self) -> str:
        """Always "chain"; its bars carry the names of their own sources."""
        return CHAIN

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols``; see `MarketDataSource.bars`.

        ``delivered`` says which source each symbol came from ("polygon", or "polygon, yfinance" where one completed
        the other), ``stale`` which symbols lack their newest bar, and ``notes`` why a source was passed over.
        """
        moment = require_aware(as_of, "as_of")
        deliveries = [self._collect(symbol, first, last, moment) for symbol in dict.fromkeys(symbols)]
        frames = [frame for delivery in deliveries for frame in delivery.frames]
        arrived = [delivery for delivery in deliveries if delivery.frames]
        failed = [delivery for delivery in deliveries if not delivery.frames]
        return SourceAnswer(
            bars=Bars.from_frame(pd.concat(frames, ignore_index=True)) if frames else Bars.empty(),
            failures={delivery.symbol: _failure(delivery) for delivery in failed},
            notes=(*self._skipped, *dict.fromkeys(note for delivery in deliveries for note in delivery.notes)),
            errors={delivery.symbol: _worst(delivery) for delivery in failed if delivery.errors},
            delivered={delivery.symbol: ", ".join(delivery.sources) for delivery in arrived},
            stale=self._stale(arrived, first, last, moment),
        )

    def bars_instead(
        self, symbol: str, used: Collection[str], first: date, last: date, as_of: datetime
    ) -> SourceAnswer:
        """Bars of the first source of the symbol's route that is not in ``used`` and has any; for bars found bad.

        ``asked`` says whom it took; the answer is empty when there is nobody left.
        """
        moment, asked = require_aware(as_of, "as_of"), []
        for source in self._routes.get(route_of(symbol, self._universe), ()):
            if source.name in used:
                continue
            asked.append(source.name)
            delivery = _Delivery(symbol)
            _ask(source, delivery, first, last, moment)
            if delivery.frames:
                return SourceAnswer(Bars.from_frame(delivery.frames[0]), asked=tuple(asked))
        return SourceAnswer(Bars.empty(), asked=tuple(asked))

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro series in the date range, each from the first source that has it.

        Raises
        ------
        SourceError
            When a source failed and no other delivered anything.
        """
        moment = require_aware(as_of, "as_of")
        frames: list[pd.DataFrame] = []
        covered: set[str] = set()
        problems: list[SourceError] = []
        for source in self._macro_sources:
            try:
                frame = source.macro(first, last, moment).frame
            except SourceError as error:
                problems.append(error)
                continue
            new = frame[~frame["series"].isin(covered)]
            covered |= set(new["series"].unique())
            frames += [new] if len(new) else []
        if not frames and problems:
            kind = SourceUnavailableError if any(error.transient for error in problems) else SourceError
            raise kind("; ".join(" ".join(str(error).split()) for error in problems), "see `trading sources`")
        if not frames:
            return MacroSeries.empty()
        return MacroSeries.from_frame(pd.concat(frames, ignore_index=True))

    def _collect(self, symbol: str, first: date, last: date, as_of: datetime) -> _Delivery:
        delivery = _Delivery(symbol)
        if symbol != VOLATILITY_INDEX and symbol not in self._universe.symbols:
            delivery.refusals.append(f"{symbol} is not in the universe")
            return delivery
        start = max(first, inception_of(symbol, self._universe) or first)
        if start > last:
            delivery.refusals.append(f"{symbol} did not exist before {start}")
            return delivery
        due = newest_due(symbol, self._universe, start, last, as_of)
        for source in self._routes.get(route_of(symbol, self._universe), ()):
            newest = delivery.newest
            if newest is not None and (due is None or newest >= due):
                break
            _ask(source, delivery, newest + ONE_DAY if newest else start, last, as_of)
        return delivery

    def _stale(self, arrived: Sequence[_Delivery], first: date, last: date, as_of: datetime) -> dict[str, date]:
        stale = {}
        for delivery in arrived:
            due, newest = newest_due(delivery.symbol, self._universe, first, last, as_of), delivery.newest
            if due is not None and newest is not None and newest < due:
                stale[delivery.symbol] = newest
        return stale


def route_of(symbol: str, universe: Universe) -> Route:
    """Route that the bars of a symbol take."""
    if symbol == VOLATILITY_INDEX:
        return Route.VOLATILITY_INDEX
    return {AssetClass.US_ETF: Route.US_ETF, AssetClass.CRYPTO: Route.CRYPTO}[universe[symbol].asset_class]


def _ask(source: MarketDataSource, delivery: _Delivery, first: date, last: date, as_of: datetime) -> None:
    """Ask one source for one symbol and record the result."""
    symbol = delivery.symbol
    response = source.bars([symbol], first, last, as_of)
    delivery.notes += response.notes
    refusal = response.failures.get(symbol)
    if refusal is None and (response.bars.frame["adjustment"] != "raw").any():
        # Adjusted prices have another base than the raw ones of the source before; mixed they would be a jump.
        refusal = f"{source.name} has adjusted prices of {symbol} only"
    if refusal is None:
        delivery.frames.append(response.bars.frame)
        delivery.sources.append(source.name)
        if delivery.refusals or len(delivery.sources) > 1:
            why = "; ".join(delivery.refusals) or f"{delivery.sources[0]} had nothing newer than {first - ONE_DAY}"
            delivery.notes.append(f"{symbol}: {source.name} was asked, because {why}")
        return
    delivery.refusals.append(refusal if source.name in refusal else f"{source.name}: {refusal}")
    if symbol in response.errors:
        delivery.errors.append(response.errors[symbol])


def _failure(delivery: _Delivery) -> str:
    if not delivery.refusals:
        return f"there is no source of {delivery.symbol}: name one in sources.yaml, or set the key of one"
    text = "; ".join(delivery.refusals)
    return text if delivery.symbol in text else f"{delivery.symbol}: {text}"


def _worst(delivery: _Delivery) -> SourceError:
    """Return the failure of a symbol as one error; transient when trying the chain again later may help."""
    later = any(error.transient or isinstance(error, SourceSkippedError) for error in delivery.errors)
    return SourceUnavailableError(_failure(delivery)) if later else SourceError(_failure(delivery))

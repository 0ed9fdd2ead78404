"""Market data for decisions: bars from a source or the store -> panel and factors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.funding import FundingPanel
from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.market_view import FactorPanel, MarketView, view_at
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries, PricePanel
from trading_lib.domain.market.sessions import FIRST_SESSION, SessionCalendar, exchange_sessions
from trading_lib.factors.calculator import calculate_factors
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.funding import assemble_funding
from trading_lib.market_data.panel import assemble_panel
from trading_lib.market_data.source import FundingSource, MarketDataSource, ProceedsSource, SourceAnswer
from trading_lib.session.inputs import SessionInput
from trading_lib.validation.acceptance import accept_bars
from trading_lib.validation.price_rules.unstated_splits import RULE as SUSPECTED
from trading_lib.validation.report import ValidationReport
from trading_lib.workflows.data.price_checks import cross_checks, refuse_adjusted_prices, rulings_of

if TYPE_CHECKING:
    from trading_lib.adapters.stores.market.market_store import MarketStore
    from trading_lib.workflows.setup.settings import Settings


@dataclass(frozen=True, slots=True)
class Market:
    """A panel, its factors, funding where the universe's perpetual has allowed venues, and proceeds a source lists."""

    panel: PricePanel
    factors: FactorPanel
    funding: FundingPanel | None = None
    proceeds: tuple[Proceeds, ...] = ()

    def row(self, session: date) -> int:
        """Row of ``session``; `SessionError` when the data does not reach it."""
        row = int(np.searchsorted(self.panel.sessions, np.datetime64(session)))
        if row < len(self.panel.sessions) and self.panel.sessions[row] == np.datetime64(session):
            return row
        raise SessionError(
            f"there are no prices of session {session} (data of {self.panel.source} ends {self.panel.sessions[-1]})",
            "ingest that session first, or choose an earlier one",
        )

    def view(self, universe: Universe, session: date) -> MarketView:
        """Look at what was known at the decision time of ``session``."""
        return view_at(universe, self.panel, self.factors, self.row(session), session, self.funding)


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """A source's whole history, validated, with the market built from it."""

    market: Market
    answer: SourceAnswer
    validation: ValidationReport
    macro: MacroSeries


def build_market(
    bars: Bars,
    macro: MacroSeries,
    universe: Universe,
    calendar: SessionCalendar,
    last: date | None = None,
    rates: FundingRates | None = None,
) -> Market:
    """Assemble the panel, compute the factors, and add funding when there are rates to read."""
    panel = assemble_panel(bars, macro, universe, calendar, last)
    funding = None
    if rates is not None and universe.perpetuals is not None:
        funding = assemble_funding(rates, bars, universe.perpetuals, panel.sessions, calendar)
    return Market(panel, calculate_factors(panel), funding)


def funding_from_source(source: object, universe: Universe, last: date, as_of: datetime) -> FundingRates | None:
    """Read the rates of the universe's perpetual; None where it has no allowed venue or the source no rates."""
    contract = universe.perpetuals
    if contract is None or not contract.venues or not isinstance(source, FundingSource):
        return None
    return source.funding([contract.name], FIRST_SESSION, last, as_of).rates


def funding_from_store(store: MarketStore, source: str, universe: Universe, as_of: datetime) -> FundingRates | None:
    """Read the rates known at ``as_of`` like `funding_from_source`; a chain's come from the venues themselves."""
    contract = universe.perpetuals
    if contract is None or not contract.venues:
        return None
    # Imported here: a run on files or the simulated market needs no database library.
    from trading_lib.adapters.stores.market.positioning_store import PositioningStore

    positioning = PositioningStore(store.engine)
    names = contract.venues if source == CHAIN else (source,)
    frames = [positioning.read_funding(name, as_of, [contract.name]).frame for name in names]
    return FundingRates.from_frame(pd.concat(frames, ignore_index=True))


def market_from_source(
    source: MarketDataSource,
    universe: Universe,
    calendar: SessionCalendar,
    last: date,
    as_of: datetime,
    only: Collection[str] | None = None,
) -> LoadedSource:
    """Read everything a source has up to ``last``, set bad bars aside as ingestion would, and build the market.

    Parameters
    ----------
    only
        Symbols of the universe to ask for; the others are as absent as if the source had none. None asks for all.
    """
    symbols = [*(s for s in universe.symbols if only is None or s in only), VOLATILITY_INDEX]
    response = source.bars(symbols, FIRST_SESSION, last, as_of)
    if not response.bars.frame["symbol"].isin(universe.symbols).any():
        _refuse_before_the_data(source, symbols[:-1], last, as_of)
    refuse_adjusted_prices(source, response.bars)
    opinions = cross_checks(source, symbols, FIRST_SESSION, last, as_of)
    validation = accept_bars(response.bars, universe, as_of, opinions, rulings=rulings_of(source))
    macro = source.macro(FIRST_SESSION, last, as_of)
    newest = _newest_session(_with_suspected(validation), universe, calendar)
    rates = funding_from_source(source, universe, last, as_of)
    market = build_market(validation.accepted, macro, universe, calendar, newest, rates)
    if isinstance(source, ProceedsSource):
        market = replace(market, proceeds=source.proceeds)
    return LoadedSource(market, response, validation, macro)


def _refuse_before_the_data(source: MarketDataSource, symbols: Sequence[str], last: date, as_of: datetime) -> None:
    """Name the first price there is, where all begin after ``last``."""
    later = source.bars(symbols, last, as_of.date(), as_of).bars.frame
    if len(later):
        first = later["date"].min()
        symbol = later.loc[later["date"] == first, "symbol"].iloc[0]
        raise SessionError(
            f"{source.name} has no price up to {last}",
            f"its first is {symbol}'s of {first.date()}: choose a later window",
        )


def market_from_store(
    store: MarketStore,
    source: str,
    universe: Universe,
    calendar: SessionCalendar,
    session: date,
    later: datetime | None = None,
) -> Market:
    """Read what was known at the decision time of ``session`` and build the market up to it.

    Parameters
    ----------
    later
        Read what was known at this moment instead, for a day without a session after ``session``.
    """
    as_of = later or calendar.decision_time(session)
    always_open = [i.symbol for i in universe if i.calendar is TradingCalendar.ALWAYS]
    bars = store.read_bars(source, as_of, opened=True, always_open=always_open, ranges=True)
    macro = store.read_macro(source, as_of)
    rates = funding_from_store(store, source, universe, as_of)
    return build_market(bars, macro, universe, calendar, session, rates)


def _with_suspected(validation: ValidationReport) -> Bars:
    """Add the bars a suspected split keeps out: their sessions took place, whatever the price is."""
    suspected = {(finding.symbol, finding.session) for finding in validation.findings if finding.rule == SUSPECTED}
    if not suspected:
        return validation.accepted
    bad = validation.quarantined.frame
    rows = [key in suspected for key in zip(bad["symbol"], bad["date"].dt.date, strict=True)]
    return Bars.from_frame(pd.concat([validation.accepted.frame, bad[rows]], ignore_index=True))


def _newest_session(bars: Bars, universe: Universe, calendar: SessionCalendar) -> date | None:
    """Newest session with an exchange bar, so that a lone weekend bar of crypto adds no empty session."""
    exchange = [i.symbol for i in universe if i.calendar is TradingCalendar.XNYS]
    dates = bars.frame.loc[bars.frame["symbol"].isin(exchange), "date"]
    if dates.empty:
        return None
    sessions = calendar.between(FIRST_SESSION, dates.max().date())
    newest: date = sessions[-1].item()
    return newest


def session_input(settings: Settings, market: Market, book: str = "backtest") -> SessionInput:
    """Build the inputs that the sessions of a run share."""
    configuration = settings.configuration
    return SessionInput(
        universe=configuration.universe,
        calendar=exchange_sessions(),
        panel=market.panel,
        factors=market.factors,
        config=configuration.decision,
        paper=configuration.paper,
        initial_cash=Decimal(configuration.initial_cash),
        book=book,
        funding=market.funding,
        proceeds=market.proceeds,
        accounts=configuration.accounts,
    )

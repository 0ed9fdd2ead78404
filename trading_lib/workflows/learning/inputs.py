"""What features are computed from: bars, macro series and reports, from a source or from the database, as known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.files.listed_symbols import listed_symbols
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import AssetClass, Instrument, TradingCalendar, Universe
from trading_lib.domain.market.positioning import CotReports
from trading_lib.domain.market.prices import Bars, MacroSeries, PricePanel
from trading_lib.domain.market.sessions import FIRST_SESSION, SessionCalendar
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.features.build import build_features
from trading_lib.learning.features.context import MarketContext, preferred_macro
from trading_lib.learning.features.own import OwnColumns
from trading_lib.learning.features.positioning import preferred_positioning
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.config import Route
from trading_lib.market_data.panel import CASH_RATE_SERIES, decision_times
from trading_lib.market_data.source import MarketDataSource, PositioningSource
from trading_lib.validation.acceptance import accept_bars
from trading_lib.workflows.data.market import Market, build_market, market_from_source, market_from_store
from trading_lib.workflows.setup.settings import Settings

if TYPE_CHECKING:
    from trading_lib.adapters.stores.market.market_store import MarketStore

NOT_TRADED = "learned from only"


@dataclass(frozen=True, slots=True)
class LearningInput:
    """A market with what is known beside its prices.

    Attributes
    ----------
    macro, reports
        Of each source in order of preference, with all revisions that the source or the database knows of.
    quarantined
        How many bars of a source were set aside; of the database, where they were when they came in, 0.
    """

    market: Market
    macro: tuple[MacroSeries, ...]
    reports: tuple[CotReports, ...]
    quarantined: int = 0

    def context(self, calendar: SessionCalendar, own: OwnColumns | None = None) -> MarketContext:
        """Read everything off at the decision of each session."""
        return market_context(self.market.panel, self.macro, self.reports, calendar, own)

    def features(self, calendar: SessionCalendar, own: OwnColumns | None = None) -> FeaturePanel:
        """Compute the features of every session."""
        return build_features(self.market.panel, self.market.factors, self.context(calendar, own))


def market_context(
    panel: PricePanel,
    macro: Sequence[MacroSeries],
    reports: Sequence[CotReports],
    calendar: SessionCalendar,
    own: OwnColumns | None = None,
) -> MarketContext:
    """Read series and reports off at the decision of each session of the panel, in the revision known then."""
    decisions = decision_times(calendar, panel.sessions)
    positioning = preferred_positioning(reports, panel.symbols, decisions)
    return MarketContext(preferred_macro(macro, decisions), positioning, own(panel) if own else {})


def input_from_source(
    source: MarketDataSource, settings: Settings, last: date, extra: Path | None = None
) -> LearningInput:
    """Read what a source had told by the decision of the newest session up to ``last``.

    Parameters
    ----------
    extra
        Folder with prices of further symbols.
    """
    universe, calendar = settings.configuration.universe, settings.calendar
    as_of = _as_of(settings, last)
    loaded = market_from_source(source, universe, calendar, last, as_of)
    reports = reports_of(source, last, as_of)
    market, quarantined = loaded.market, len(loaded.validation.quarantined)
    if extra is not None:
        market, further = _widened(market, loaded.validation.accepted, loaded.macro, extra, settings, as_of)
        quarantined += further
    return LearningInput(market, (loaded.macro,), (reports,), quarantined)


def reports_of(source: MarketDataSource, last: date, as_of: datetime) -> CotReports:
    """Read the Commitments of Traders a source has; most have none."""
    return source.cot(FIRST_SESSION, last, as_of) if isinstance(source, PositioningSource) else CotReports.empty()


def input_from_store(store: MarketStore, source: str, settings: Settings, session: date) -> LearningInput:
    """Read what was stored and known at the decision of ``session``; of a chain the reports are its own source's."""
    # Imported here: a run on files or the simulated market needs no database library.
    from trading_lib.adapters.stores.market.positioning_store import PositioningStore

    configuration, calendar = settings.configuration, settings.calendar
    as_of = calendar.decision_time(session)
    market = market_from_store(store, source, configuration.universe, calendar, session)
    positioning = PositioningStore(store.engine)
    names = configuration.sources.order.get(Route.POSITIONING, ()) if source == CHAIN else (source,)
    # All sources repeat the same numbers of the CFTC: the first that has any is enough.
    reports = tuple(positioning.read_cot_vintages(name, as_of) for name in names)
    macro = store.read_macro_vintages(source, as_of)
    return LearningInput(replace(market, panel=_with_cash_rate(market.panel, macro, calendar)), macro, reports)


def _with_cash_rate(panel: PricePanel, macro: Sequence[MacroSeries], calendar: SessionCalendar) -> PricePanel:
    """Take the cash rate of each session from the first series that was known then, in the revision known then."""
    known, rate = preferred_macro(macro, decision_times(calendar, panel.sessions)), np.full(len(panel.sessions), np.nan)
    for name in CASH_RATE_SERIES:
        if name in known:
            rate = np.where(np.isfinite(rate), rate, known[name] / 100.0)
    return replace(panel, cash_rate=rate)


def _as_of(settings: Settings, last: date) -> datetime:
    """Decision of the newest session up to ``last``, or now where that is later."""
    sessions = settings.calendar.between(FIRST_SESSION, last)
    now = settings.clock()
    return min(now, settings.calendar.decision_time(sessions[-1].item())) if len(sessions) else now


def _widened(
    market: Market, accepted: Bars, macro: MacroSeries, folder: Path, settings: Settings, as_of: datetime
) -> tuple[Market, int]:
    """Add the further symbols of a folder to a market, and count their bad bars; they have no part in trading."""
    universe = settings.configuration.universe
    last: date = market.panel.sessions[-1].item()
    symbols = [symbol for symbol in listed_symbols(folder) if symbol not in universe.symbols]
    wider = replace(universe, instruments=(*universe.instruments, *(_instrument(symbol) for symbol in symbols)))
    source = FileSource(folder, wider, settings.configuration.sources.files)
    bars = source.bars(symbols, FIRST_SESSION, last, as_of).bars if symbols else Bars.empty()
    if not len(bars):
        raise DataFileError(
            f"{folder} has no price of a symbol that is not in the universe already", "name a folder with further ones"
        )
    checked = accept_bars(bars, wider, as_of)
    further = checked.accepted
    everything = Bars.from_frame(pd.concat([accepted.frame, further.frame], ignore_index=True))
    present = Universe(
        tuple(i for i in wider if i.symbol in universe.symbols or i.symbol in further.symbols), universe.perpetuals
    )
    return build_market(everything, macro, present, settings.calendar, last), len(checked.quarantined)


def _instrument(symbol: str) -> Instrument:
    crypto = symbol.endswith("-USD")
    return Instrument(
        symbol=symbol,
        name=symbol,
        asset_class=AssetClass.CRYPTO if crypto else AssetClass.US_ETF,
        category=NOT_TRADED,
        calendar=TradingCalendar.ALWAYS if crypto else TradingCalendar.XNYS,
        max_weight=0.0,
        volatility_target=0.15,
        stop_reduce=None,
        stop_exit=0.5,
        lot_size=Decimal(1),
        commission_rate=Decimal(0),
        slippage_rate=Decimal(0),
    )

"""Ingestion of bars and macro values from a source: fetch, check, store, record in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime

from trading_lib.adapters.stores.market.ingestion_ledger import Ingestion, IngestionLedger
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.domain.errors import SourceError, UnknownSymbolError, one_of
from trading_lib.domain.market.sessions import FIRST_SESSION
from trading_lib.market_data.source import MarketDataSource, SourceAnswer
from trading_lib.workflows.data.accept_bars import fetch_accepted_bars
from trading_lib.workflows.data.accept_positioning import (
    PositioningIntake,
    fetch_funding,
    fetch_positioning,
    perpetuals,
)
from trading_lib.workflows.data.sources import (
    FUNDING_GROUP,
    MACRO_GROUP,
    POSITIONING_GROUP,
    further_groups,
    instrument_groups,
    market_store,
    open_funding,
    open_positioning,
    open_source,
)
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.results import Ingested
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)


def ingest_range(
    plan: SessionPlan,
    groups: Sequence[str],
    first: date,
    last: date,
    settings: Settings,
    source: MarketDataSource | None = None,
    symbols: Sequence[str] = (),
) -> Ingested:
    """Fetch, check and store everything of ``groups`` from ``first`` to ``last``; the same again changes nothing.

    Parameters
    ----------
    source
        The source to ask, when it is open already; by default the plan's.
    symbols
        Only these of the groups' symbols; all when empty.

    Returns
    -------
    Counts of rows; ``delivered`` (symbol -> source its bars came from), ``replaced`` (symbol -> day -> source of the
    bar used in place of a quarantined one), ``failures`` (symbol -> why it brought nothing) and ``stale`` (symbol ->
    its newest date, where a newer bar is due and no source of a chain has it); ``abstained`` (source of funding rates
    or reports -> why it brought nothing, which is nobody else's failure).
    A symbol's failure fails nothing else.
    """
    engine = settings.engine()
    store, ledger, now = market_store(settings, engine), IngestionLedger(engine), settings.clock()
    asked = source or open_source(plan.source, plan.data, settings)
    result: Ingested = {
        "groups": list(groups),
        "inserted": 0,
        "revised": 0,
        "unchanged": 0,
        "quarantined": 0,
        "failures": {},
        "delivered": {},
        "replaced": {},
        "stale": {},
        "abstained": {},
        "notes": [],
    }
    for group, members in instrument_groups(settings).items():
        chosen = [symbol for symbol in members if not symbols or symbol in symbols]
        if group in groups and chosen:
            response = _ingest_bars(asked, chosen, first, last, store, settings, now, result)
            ledger.record(_bars_fetched(asked.name, group, chosen, first, last, response), now)
    if MACRO_GROUP in groups:
        ledger.record(_ingest_macro(asked, first, last, store, now, result), now)
    if FUNDING_GROUP in groups:
        venues = open_funding(plan.source, plan.data, settings)
        symbols_of_venues = perpetuals(settings.configuration.universe)
        funding = fetch_funding(venues, symbols_of_venues, first, last, engine, now)
        ledger.record(_enter_further(asked.name, FUNDING_GROUP, first, last, funding, result), now)
    if POSITIONING_GROUP in groups:
        reporters = open_positioning(plan.source, plan.data, settings)
        reports = fetch_positioning(reporters, first, last, engine, now)
        ledger.record(_enter_further(asked.name, POSITIONING_GROUP, first, last, reports, result), now)
    _log_problems(result)
    return result


def _log_problems(result: Ingested) -> None:
    for subjects, message in (
        (result["failures"], "brought nothing"),
        (result["stale"], "brought no newer bar than"),
        (result["abstained"], "abstained"),
    ):
        for subject, reason in subjects.items():
            LOG.warning("%s %s: %s", subject, message, reason)
    for symbol, days in result["replaced"].items():
        for day, source in days.items():
            LOG.info("%s: the quarantined bar of %s is replaced by %s's", symbol, day, source)


@logged("ingest")
def ingest_history(
    plan: SessionPlan, settings: Settings, last: date, first: date = FIRST_SESSION, symbols: Sequence[str] = ()
) -> Ingested:
    """Load a source's history from ``first`` to ``last``; without the other series where single symbols are named."""
    every_symbol = [symbol for members in instrument_groups(settings).values() for symbol in members]
    for symbol in symbols:
        if symbol not in every_symbol:
            raise UnknownSymbolError(f"symbol {symbol!r} is not in the universe", one_of(symbol, every_symbol))
    further = [MACRO_GROUP, *further_groups(plan.source, plan.data, settings)]
    groups = [*instrument_groups(settings), *([] if symbols else further)]
    return ingest_range(plan, groups, first, last, settings, symbols=symbols)


def _ingest_bars(
    source: MarketDataSource,
    symbols: Sequence[str],
    first: date,
    last: date,
    store: MarketStore,
    settings: Settings,
    now: datetime,
    result: Ingested,
) -> SourceAnswer:
    intake = fetch_accepted_bars(source, symbols, first, last, store, settings, now)
    response = intake.answer
    result["inserted"] += intake.counts.inserted
    result["revised"] += intake.counts.revised
    result["unchanged"] += intake.counts.unchanged
    result["quarantined"] += intake.quarantined
    result["failures"] |= dict(response.failures)
    result["delivered"] |= _delivered(response, source.name)
    result["replaced"] |= intake.replaced
    result["stale"] |= {symbol: day.isoformat() for symbol, day in response.stale.items()}
    result["notes"] += [note for note in response.notes if note not in result["notes"]]
    return response


def _ingest_macro(
    source: MarketDataSource, first: date, last: date, store: MarketStore, now: datetime, result: Ingested
) -> Ingestion:
    failures: dict[str, str] = {}
    try:
        series = source.macro(first, last, now)
    except SourceError as error:
        # Decisions do without a macro value that is late; the report says that it is.
        failures[MACRO_GROUP] = " ".join(str(error).split())
        result["failures"] |= failures
        delivered: dict[str, str] = {}
        result["macro"] = 0
    else:
        counts = store.upsert_macro(series, now)
        delivered = {str(row.series): str(row.source) for row in series.frame[["series", "source"]].itertuples()}
        result["macro"] = counts.inserted + counts.revised
    return Ingestion(source.name, MACRO_GROUP, first, last, (), not failures, delivered, failures)


def _enter_further(
    source: str, group: str, first: date, last: date, intake: PositioningIntake, result: Ingested
) -> Ingestion:
    count = intake.counts.inserted + intake.counts.revised
    if group == FUNDING_GROUP:
        result["funding"] = count
    else:
        result["positioning"] = count
    result["abstained"] |= intake.abstained
    complete = not intake.abstained
    return Ingestion(source, group, first, last, (), complete, intake.delivered, intake.abstained)


def _bars_fetched(
    source: str, group: str, symbols: Sequence[str], first: date, last: date, response: SourceAnswer
) -> Ingestion:
    complete = not response.errors and not response.stale
    delivered = _delivered(response, source)
    return Ingestion(source, group, first, last, tuple(symbols), complete, delivered, dict(response.failures))


def _delivered(response: SourceAnswer, source: str) -> dict[str, str]:
    return dict(response.delivered) or dict.fromkeys(response.bars.symbols, source)

"""The tasks of the market_data DAG: plan -> ingest -> validate -> factors -> publish.

Each function takes and returns small JSON-able dictionaries; everything large goes through the database.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from trading_lib.adapters.stores.market_store import MarketStore
from trading_lib.domain.errors import DataQualityError, SimulatedDataError
from trading_lib.domain.instruments import AssetClass, TradingCalendar, Universe
from trading_lib.domain.prices import VOLATILITY_INDEX
from trading_lib.domain.sessions import FIRST_SESSION, parse_session
from trading_lib.factors.calculator import in_dollars
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.structural import validate_bars
from trading_lib.workflows.market import market_from_store
from trading_lib.workflows.settings import Settings, load_settings
from trading_lib.workflows.source_choice import SIMULATED, open_source, source_kind

Plan = dict[str, Any]
Result = dict[str, Any]

MACRO_GROUP = "macro"
# Each run re-reads this many days, so that a bar that came late the day before is picked up; the same bar again
# changes nothing.
LOOKBACK_DAYS = 10


def plan(
    session: str | None = None,
    source: str | None = None,
    data: str | None = None,
    book: str | None = None,
    settings: Settings | None = None,
) -> Plan:
    """Settle what a run is about: session, source, book and the groups to ingest.

    Defaults: the newest session with data; files when a folder is given, else the simulated market; the demo book
    for simulated data, else the paper book.
    """
    active = settings or load_settings()
    day = parse_session(session) if session else active.calendar.latest_decidable(active.clock())
    active.calendar.require_data(day, active.clock())
    kind = source_kind(source, data)
    name = open_source(kind, data, active).name
    return {
        "session": day.isoformat(),
        "source": kind,
        "source_name": name,
        "data": data,
        "book": checked_book(book or ("demo" if kind == SIMULATED else "paper"), name),
        "groups": [*instrument_groups(active.configuration.universe), MACRO_GROUP],
    }


def checked_book(book: str, source_name: str) -> str:
    """Return ``book``; paper and live books refuse simulated prices (SPEC section 3)."""
    if source_name == SIMULATED and not book.startswith(("demo", "backtest")):
        raise SimulatedDataError(
            f"book {book!r} may not trade on simulated prices", "use a book whose name begins with demo"
        )
    return book


def instrument_groups(universe: Universe) -> dict[str, list[str]]:
    """Return the symbols that are fetched together; one group's failure leaves the others alone."""
    return {
        "etf": [i.symbol for i in universe if i.asset_class is AssetClass.US_ETF],
        "crypto": [i.symbol for i in universe if i.asset_class is AssetClass.CRYPTO],
        "volatility_index": [VOLATILITY_INDEX],
    }


def ingest(plan: Plan, group: str, settings: Settings | None = None) -> Result:
    """Fetch, check and store the newest bars (or macro values) of one group."""
    active = settings or load_settings()
    session = date.fromisoformat(plan["session"])
    first = session - timedelta(days=LOOKBACK_DAYS)
    return ingest_range(plan, [group], first, session, active)


def ingest_range(plan: Plan, groups: list[str], first: date, last: date, settings: Settings) -> Result:
    """Fetch, check and store everything of ``groups`` from ``first`` to ``last``; the same again changes nothing."""
    store, now = MarketStore(settings.engine()), settings.clock()
    source = open_source(plan["source"], plan["data"], settings)
    members = instrument_groups(settings.configuration.universe)
    result: Result = {"groups": groups, "inserted": 0, "revised": 0, "unchanged": 0, "quarantined": 0, "failures": {}}
    symbols = [symbol for group in groups if group != MACRO_GROUP for symbol in members[group]]
    if symbols:
        answer = source.bars(symbols, first, last, now)
        report = validate_bars(answer.bars, settings.configuration.universe, now)
        counts = store.upsert_bars(report.accepted, now)
        store.save_validation(source.name, report.findings, report.quarantined, now)
        result |= {"inserted": counts.inserted, "revised": counts.revised, "unchanged": counts.unchanged}
        result |= {"quarantined": len(report.quarantined), "failures": dict(answer.failures)}
        result["notes"] = list(answer.notes)
    if MACRO_GROUP in groups:
        macro = store.upsert_macro(source.macro(first, last, now), now)
        result["macro"] = macro.inserted + macro.revised
    return result


def ingest_history(plan: Plan, settings: Settings, last: date) -> Result:
    """Load a source's whole history up to ``last``."""
    return ingest_range(plan, plan["groups"], FIRST_SESSION, last, settings)


def validate(plan: Plan, settings: Settings | None = None) -> Result:
    """Check that the session's bars arrived; with none at all the run stops here."""
    active = settings or load_settings()
    store = MarketStore(active.engine())
    session = date.fromisoformat(plan["session"])
    source, now = plan["source_name"], active.clock()
    exchange = [i.symbol for i in active.configuration.universe if i.calendar is TradingCalendar.XNYS]
    bars = store.read_bars(
        source, active.calendar.decision_time(session), symbols=exchange, first=session, last=session
    )
    present = set(bars.symbols)
    first_seen = {symbol: span[0] for symbol, span in store.coverage(source).items()}
    missing = [s for s in exchange if s not in present and s in first_seen and first_seen[s] <= session]
    if not present:
        raise DataQualityError(
            f"no exchange bar of session {session} came from {source}", "check the source, then clear this task"
        )
    findings = [
        Finding(s, session, "missing_bar", Severity.WARNING, None, f"{s} has no accepted bar on {session}")
        for s in missing
    ]
    store.save_validation(source, findings, bars.empty(), now)
    quarantined = store.quarantined(source, session)
    return {"session": plan["session"], "bars": len(present), "missing": missing, "quarantined": sorted(quarantined)}


def factors(plan: Plan, settings: Settings | None = None) -> Result:
    """Compute and store the factors of the session."""
    active = settings or load_settings()
    store = MarketStore(active.engine())
    session = date.fromisoformat(plan["session"])
    universe = active.configuration.universe
    market = market_from_store(store, plan["source_name"], universe, active.calendar, session)
    values = in_dollars(market.factors, market.row(session))
    stored = store.save_factors(plan["source_name"], session, universe.symbols, market.factors.names, values)
    return {"session": plan["session"], "factors": len(market.factors.names), "values": stored}


def publish(plan: Plan) -> Result:
    """Return what the market_data asset tells its consumers."""
    return {key: plan[key] for key in ("session", "source", "data", "book")}

"""The tasks of the market_data DAG: plan -> ingest -> check_completeness -> factors -> publish.

Each function takes and returns small JSON-able dictionaries; everything large goes through the database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta

from trading_lib.adapters.stores.market.ingestion_ledger import IngestionLedger
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.domain.errors import DataQualityError, InputError, SimulatedDataError
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.missing_data import MissingData
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars
from trading_lib.domain.market.sessions import parse_session
from trading_lib.market_data.availability.expected_bars import inception_of, settled_by
from trading_lib.validation.report import Finding, Severity
from trading_lib.workflows.alerts.sessions import tell_findings
from trading_lib.workflows.data.fetch import ingest_range
from trading_lib.workflows.data.needed_history import (
    LOOKBACK_DAYS,
    ended_series,
    first_to_fetch,
    lacks_history,
    short_histories,
)
from trading_lib.workflows.data.sources import (
    MACRO_GROUP,
    further_groups,
    instrument_groups,
    market_store,
    source_name,
)
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import SIMULATED, choose_source
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.results import CompletenessChecked, FactorsStored, Ingested, Published
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)
LONGEST_NAME = 64


@logged("plan")
def plan(
    session: str | None = None,
    source: str | None = None,
    data: str | None = None,
    book: str | None = None,
    settings: Settings | None = None,
) -> SessionPlan:
    """Settle what a run is about: session, source, book and the groups to ingest.

    Defaults: the newest session with data; files when a folder is given, else what sources.yaml calls the default; the
    demo book for simulated data, else the paper book.
    """
    active = settings or load_settings()
    day = parse_session(session) if session else active.calendar.latest_decidable(active.clock())
    active.calendar.require_data(day, active.clock())
    chosen = choose_source(source, data, active)
    kind, folder = chosen.kind, chosen.folder_name
    name = source_name(kind, folder, active)
    return SessionPlan(
        session=day,
        source=kind,
        source_name=name,
        data=folder,
        book=checked_book(book or ("demo" if kind == SIMULATED else "paper"), name),
        groups=(*instrument_groups(active), MACRO_GROUP, *further_groups(kind, folder, active)),
    )


def checked_book(book: str, source_name: str) -> str:
    """Return ``book``; paper and live books refuse simulated prices (docs/specification.md#books).

    A name that no terminal or table shows well is refused, too.
    """
    if not (0 < len(book) <= LONGEST_NAME and book.isprintable() and book == book.strip()):
        raise InputError(
            f"{book!r} is no name for a book", f"use 1 to {LONGEST_NAME} letters, digits and signs, in one line"
        )
    if source_name == SIMULATED and not book.startswith(("demo", "backtest")):
        raise SimulatedDataError(
            f"book {book!r} may not trade on simulated prices", "use a book whose name begins with demo"
        )
    return book


def groups_to_ingest(plan: SessionPlan, refresh: bool = False, settings: Settings | None = None) -> list[str]:
    """Return the groups of the plan that a run has to fetch.

    The newest session is always fetched. A past one was usually fetched before, alone or among many at once; then
    asking again would cost a request per symbol and bring nothing, so that a backfill of a year would take hours.

    Parameters
    ----------
    refresh
        Fetch again what was fetched before, e.g. to see a vendor's corrections.
    """
    active = settings or load_settings()
    session = plan.session
    if refresh or not _is_past(session, active):
        return list(plan.groups)
    ledger, members = IngestionLedger(active.engine()), instrument_groups(active)
    settled = settled_by(session)
    return [
        group
        for group in plan.groups
        if not ledger.covers(plan.source_name, group, members.get(group, []), session, settled)
        or lacks_history(plan, group, active, ledger)
    ]


@logged("ingest")
def ingest(
    plan: SessionPlan, group: str, settings: Settings | None = None, say: Callable[[str], None] = LOG.info
) -> Ingested:
    """Fetch, check and store the newest bars (or macro values) of one group.

    A run for a past session fetches the weeks after it as well, for the runs that follow it in a backfill. Reads are
    as of an instant, so what is stored early is not seen early. Where the source was never asked for the history that
    decisions look back on, all it has up to the session is fetched first, and the result says from which day.
    """
    active = settings or load_settings()
    session = plan.session
    last = session
    if _is_past(session, active):
        ahead = session + timedelta(days=active.configuration.sources.ingest.fetch_ahead_days)
        last = max(session, min(ahead, active.calendar.latest_with_data(active.clock())))
    first = first_to_fetch(plan, group, active)
    if session - first <= timedelta(days=LOOKBACK_DAYS):
        return ingest_range(plan, [group], first, last, active)
    say(f"{group}: too little history before {session} is stored, loading all that {plan.source_name} has")
    result = ingest_range(plan, [group], first, last, active)
    result["history_from"] = first.isoformat()
    return result


def _is_past(session: date, settings: Settings) -> bool:
    """Whether later sessions are complete already, their bars of every instrument included."""
    newest = settings.calendar.latest_with_data(settings.clock())
    return session < newest and settled_by(session) <= settings.clock()


@logged("check_completeness")
def check_completeness(plan: SessionPlan, settings: Settings | None = None) -> CompletenessChecked:
    """Check how complete the bars of the session are, by severity.

    Too few exchange bars fail the run (`DataQualityError`): with none, or with more symbols missing than
    ``ingest.most_missing`` allows, a decision would rest on the day before. A single missing or quarantined symbol is
    a warning: it is listed, takes no new risk this session, and the run goes on. What else ingestion warned of about
    the session's bars, and symbols whose history is too short for their signals, are warnings as well.
    """
    active = settings or load_settings()
    store = market_store(active)
    session = plan.session
    source, now = plan.source_name, active.clock()
    spans = store.coverage(source)
    first_days = {symbol: span[0] for symbol, span in spans.items()}
    ended = ended_series(spans, active.configuration.universe, session, active)
    present, missing = _arrived(store, source, session, first_days, ended, active)
    quarantined = store.quarantined(source, session)
    if not present:
        raise DataQualityError(
            f"no exchange bar of session {session} came from {source}", "check the source, then clear this task"
        )
    share = len(missing) / (len(missing) + len(present))
    if share > active.configuration.sources.ingest.most_missing:
        raise DataQualityError(
            f"{len(missing)} of {len(missing) + len(present)} exchange bars of session {session} are missing from"
            f" {source} ({', '.join(missing)})",
            "see `trading sources`, then clear the ingest tasks",
        )
    findings = [
        Finding(s, session, "missing_bar", Severity.WARNING, None, f"{s} has no accepted bar on {session}")
        for s in missing
    ]
    store.save_validation(source, findings, Bars.empty(), now)
    alerts = [message for _, rule, message in store.alerts(source, session) if rule != "missing_bar"]
    short = short_histories(first_days, active.configuration.universe, session, active)
    never = _never_delivered(first_days, session, source, active)
    lines = [*(finding.message for finding in findings), *ended.values(), *alerts, *short, *never]
    lines += [f"{symbol} is quarantined on {session}: {', '.join(rules)}" for symbol, rules in quarantined.items()]
    for line in lines:
        LOG.warning(line)
    tell_findings(source, session, lines, active)
    worst = Severity.ERROR if quarantined else Severity.WARNING if lines else None
    return {
        "session": session.isoformat(),
        "bars": len(present),
        "missing": missing,
        "quarantined": sorted(quarantined),
        "ended": sorted(ended),
        "warnings": len(missing) + len(ended) + len(alerts) + len(short) + len(never),
        "severity": worst.value if worst else "OK",
        "lines": lines,
    }


def _never_delivered(first_days: Mapping[str, date], session: date, source: str, settings: Settings) -> list[str]:
    """Name what the rules read and the source has never delivered, in one line each."""
    universe = settings.configuration.universe
    absent = [
        symbol
        for symbol in universe.symbols
        if symbol not in first_days and (inception_of(symbol, universe) or date.min) <= session
    ]
    missing = MissingData(tuple(absent), VOLATILITY_INDEX not in first_days, False)
    return [f"{source}: {line}" for line in missing.lines]


def _arrived(
    store: MarketStore,
    source: str,
    session: date,
    first_days: Mapping[str, date],
    ended: Collection[str],
    settings: Settings,
) -> tuple[list[str], list[str]]:
    """Exchange symbols with an accepted bar of the session, and those that should have one.

    A symbol is expected from its inception on, only once the source has ever delivered it, and not after it ``ended``.
    """
    universe = settings.configuration.universe
    exchange = [i.symbol for i in universe if i.calendar is TradingCalendar.XNYS]
    bars = store.read_bars(
        source, settings.calendar.decision_time(session), symbols=exchange, first=session, last=session
    )
    present = set(bars.symbols)
    expected = [
        symbol
        for symbol in exchange
        if symbol in first_days
        and symbol not in ended
        and max(first_days[symbol], inception_of(symbol, universe) or date.min) <= session
    ]
    return sorted(present), [symbol for symbol in expected if symbol not in present]


@logged("factors")
def factors(plan: SessionPlan, settings: Settings | None = None) -> FactorsStored:
    """Compute and store the factors of the session."""
    # Compiled kernels take half a second to import, which the other tasks need not wait for.
    from trading_lib.factors.calculator import in_dollars
    from trading_lib.strategies.ml_overlay import MODEL_SCORE
    from trading_lib.workflows.trade.session_market import session_market

    active = settings or load_settings()
    store = market_store(active)
    session = plan.session
    universe = active.configuration.universe
    market = session_market(store, plan.source_name, active, session)
    names = [name for name in market.factors.names if name != MODEL_SCORE]
    values = in_dollars(market.factors, market.row(session))[: len(names)]
    stored = store.save_factors(plan.source_name, session, universe.symbols, names, values)
    return {"session": session.isoformat(), "factors": len(names), "values": stored}


def publish(plan: SessionPlan) -> Published:
    """Return what the market_data asset tells its consumers."""
    return {"session": plan.session.isoformat(), "source": plan.source, "data": plan.data, "book": plan.book}

"""How much price history a decision needs, and whether it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from trading_lib.adapters.stores.market.ingestion_ledger import IngestionLedger
from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.sessions import FIRST_SESSION
from trading_lib.market_data.availability.expected_bars import inception_of
from trading_lib.workflows.data.sources import instrument_groups
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan

# A year of momentum, and Wilder's averages until their memory has faded to a billionth: what `trading audit warmup`
# looks at. Nothing the system decides by reaches back further.
NEEDED_SESSIONS = 400
# The longest window that must be full before an asset has every factor and signal.
SHORTEST_HISTORY = 252
# Each run re-reads this many days, so that a bar that came late the day before is picked up; the same bar again
# changes nothing.
LOOKBACK_DAYS = 10


def first_to_fetch(plan: SessionPlan, group: str, settings: Settings) -> date:
    """Return the day from which a run asks for a group: a few days back, or all there is where history is lacking."""
    session = plan.session
    usual = session - timedelta(days=LOOKBACK_DAYS)
    engine = settings.engine()
    try:
        return FIRST_SESSION if lacks_history(plan, group, settings, IngestionLedger(engine)) else usual
    finally:
        engine.dispose()


def lacks_history(plan: SessionPlan, group: str, settings: Settings, ledger: IngestionLedger) -> bool:
    """Whether the source was never asked for what decisions of the plan's session look back on."""
    session = plan.session
    first, last = _sessions_before(session, NEEDED_SESSIONS, settings), session - timedelta(days=LOOKBACK_DAYS)
    members = instrument_groups(settings).get(group, [])
    return first <= last and not ledger.reaches(plan.source_name, group, members, first, last)


def short_histories(first_days: Mapping[str, date], universe: Universe, session: date, settings: Settings) -> list[str]:
    """One line per symbol whose stored prices begin too late for its signals, in the universe's order.

    Parameters
    ----------
    first_days
        Symbol -> day of its first stored bar.
    """
    needed = _sessions_before(session, SHORTEST_HISTORY, settings)
    lines = []
    for symbol in universe.symbols:
        first = max(first_days.get(symbol, date.min), inception_of(symbol, universe) or date.min)
        if needed < first <= session:
            count = len(settings.calendar.between(first, session))
            lines.append(
                f"{symbol} has {count} sessions of history up to {session}, its first price is of {first}; "
                f"its signals need {SHORTEST_HISTORY + 1}"
            )
    return lines


def ended_series(
    spans: Mapping[str, tuple[date, date, int]], universe: Universe, session: date, settings: Settings
) -> dict[str, str]:
    """Symbol -> one line, of those whose newest stored bar is so old that they are retired.

    Parameters
    ----------
    spans
        `MarketStore.coverage`.
    """
    after = settings.configuration.decision.risk.retire_after_sessions
    oldest = _sessions_before(session, after - 1, settings)
    return {
        symbol: f"{symbol} has had no bar since {spans[symbol][1]}: it is retired"
        for symbol in universe.symbols
        if symbol in spans and spans[symbol][1] < oldest
    }


def _sessions_before(session: date, count: int, settings: Settings) -> date:
    try:
        return max(settings.calendar.offset(session, -count), FIRST_SESSION)
    except SessionError:
        return FIRST_SESSION

"""What a session of a backtest rested on: the run is made again up to that session, which needs no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from trading_lib.decision import Decision
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import Fill
from trading_lib.domain.errors import SessionError
from trading_lib.risk.levels.resolution import SessionEvents, with_resolutions
from trading_lib.session.step import SessionOutcome, trade_session, trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.workflows.data.market import LoadedSource, market_from_source, session_input
from trading_lib.workflows.explain.symbol import Evidence
from trading_lib.workflows.learning.scores import with_model_scores
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import research_source

# A backtest for one session begins after a year of history.
YEAR = 252


def recomputed_evidence(settings: Settings, session: date, data: Path | None, first: date | None) -> Evidence:
    """Decide the session by a backtest; where the data goes on, the next opening shows the fills."""
    universe, calendar = settings.configuration.universe, settings.calendar
    source, following = research_source(data, settings), calendar.next(session)
    loaded = market_from_source(source, universe, calendar, following, settings.clock())
    return evidence_from(settings, loaded, session, first)


def evidence_from(
    settings: Settings,
    loaded: LoadedSource,
    session: date,
    first: date | None = None,
    flows: tuple[Flow, ...] = (),
) -> Evidence:
    """Decide the session by a backtest on what a source had; see `recomputed_evidence`.

    Parameters
    ----------
    first
        First session of the backtest, default a year after the data begins.
    flows
        Capital that came or went.
    """
    configuration, market = settings.configuration, with_model_scores(loaded.market, settings)
    row, sessions = market.row(session), market.panel.sessions
    begin: date = first or sessions[min(YEAR, row)].item()
    if begin > session:
        raise SessionError(f"the backtest would begin at {begin}, after session {session}", "choose an earlier --from")
    run = replace(session_input(settings, market), flows=flows)
    rows = window_rows(market.panel, settings.calendar, begin, session)
    *_, outcome = trade_sessions(run, rows)
    outcomes = {order.client_order_id: f"DENIED: {reason}" for order, reason in outcome.denied}
    outcomes |= {order.client_order_id: "accepted" for order in outcome.end_of_day.working}
    fills: tuple[Fill, ...] = ()
    if row + 1 < len(sessions):
        after = trade_session(run, row + 1, outcome.end_of_day)
        fills = after.fills
        outcomes |= {fill.client_order_id: "FILLED" for fill in fills}
        outcomes |= {
            cancellation.client_order_id: f"CANCELLED: {cancellation.reason}" for cancellation in after.cancelled
        }
    broken: dict[str, list[str]] = {}
    for finding in loaded.validation.findings:
        if finding.session == session:
            broken.setdefault(finding.symbol, []).append(f"{finding.rule} ({finding.severity.value})")
    return Evidence(
        origin=f"recomputed by a backtest from {begin}",
        data_source=market.panel.source,
        config_hash=configuration.config_hash,
        config=configuration.decision,
        view=market.view(configuration.universe, session),
        portfolio=outcome.end_of_day.portfolio,
        decision=_with_what_ended_at_once(outcome),
        quarantine=broken,
        outcomes=outcomes,
        fills=fills,
    )


def _with_what_ended_at_once(outcome: SessionOutcome) -> Decision:
    """Return the decision with its events resolved as far as the session itself says; a book knows what came later."""
    assessment = outcome.decision.assessment
    told = SessionEvents(outcome.session, assessment.events, outcome.end_of_day.risk)
    return replace(outcome.decision, assessment=replace(assessment, events=with_resolutions([told])))

"""Price history up to a session, continued by synthetic sessions."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.stress.synthetic_sessions import SessionMoves, continue_bars
from trading_lib.domain.market.prices import Bars
from trading_lib.workflows.data.market import LoadedSource, Market, build_market
from trading_lib.workflows.setup.settings import Settings

# The longest factor looks back a year; without it no decision before a scenario would be the strategy's own.
WARM_UP_SESSIONS = 252


def continued_market(
    settings: Settings, loaded: LoadedSource, row: int, moves: SessionMoves, lead_sessions: int, source: str
) -> tuple[Market, int]:
    """Build the market that history up to ``row`` and then the moves make, and find the row of the first move.

    Parameters
    ----------
    lead_sessions
        How far before the first move decisions are wanted; what lies further back than their factors look is left out.
    """
    calendar, history = settings.calendar, loaded.market.panel.sessions
    start = int(np.searchsorted(calendar.sessions, history[row], side="right"))
    sessions = calendar.sessions[start : start + len(moves.close)]
    oldest = history[max(0, row + 1 - lead_sessions - 2 * WARM_UP_SESSIONS)]
    frame = loaded.validation.accepted.frame
    recent = Bars(frame[frame["date"] >= oldest].reset_index(drop=True))
    universe = settings.configuration.universe
    bars = continue_bars(recent, universe, sessions, moves, source)
    market = build_market(bars, loaded.macro, universe, calendar, sessions[-1].item())
    return market, int(np.searchsorted(market.panel.sessions, sessions[0]))

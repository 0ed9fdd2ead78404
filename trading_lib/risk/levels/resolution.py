"""When a risk event is resolved.

Input: the event, the risk state after a later session (or its own), and the events of that session. An event that
reports an end itself, such as a lowered level, is over at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.decision.signals import MarketRegime
from trading_lib.domain.decision.sleeves import DEFENCE_ENDS
from trading_lib.risk.events import PAIR_KIND, pairs_of
from trading_lib.risk.levels.levels import LEVEL_ACTIONS
from trading_lib.risk.limits.retirement import PRICE_RETURNED, RETIRED

ENDS = frozenset({"level_lowered", "approval", "carry_exit", PRICE_RETURNED})


class SessionEvents(NamedTuple):
    """The risk events of a session, and the state after it.

    Attributes
    ----------
    state
        None for a session in which nothing changed but the counters and, where given, the pairs.
    correlated
        Pairs of such a session; None where they are those of the session before.
    """

    session: date
    events: Sequence[RiskEvent]
    state: RiskState | None
    correlated: frozenset[str] | None = None


def is_over(event: RiskEvent, state: RiskState, after: Sequence[RiskEvent]) -> bool:
    """Whether ``event`` is resolved with the session of ``state``.

    Parameters
    ----------
    after
        All events of that session.
    """
    same_session = state.session == event.session
    later = [] if same_session else after
    match event.kind:
        case kind if kind in ENDS:
            return True
        case "level_raised":
            return state.level < event.level_after
        case "floor":
            return state.floor == 0 if same_session else state.floor < _floor_of(event)
        case "reduction":
            return state.effective_level < event.level_after
        case "stop_reduce" | "stop_exit":
            return event.symbol not in state.cooling_off
        case "recovery":
            return state.recovery_sessions is None or _any(later, "recovery")
        case "regime":
            return _any(later, "regime") or (same_session and state.regime == MarketRegime.NORMAL)
        case kind if kind == RETIRED:
            # By the universe, which closes the position, or for want of a price.
            return event.symbol not in (state.ceilings if "EXIT" in event.actions else state.retired)
        case kind if kind == PAIR_KIND:
            return pairs_of(event).isdisjoint(state.correlated)
        case "defence":
            return _tells_the_end(event) or any(e.kind == "defence" and _tells_the_end(e) for e in later)
        case "carry_entry" | "carry_pause":
            ending = "carry_exit" if event.kind == "carry_entry" else "carry_entry"
            return any(e.kind == ending and _venue(e) == _venue(event) for e in later)
        case _:
            # A fault, a shortage of cash, or a sleeve's own kind: it lasts as long as it is reported again.
            return not same_session and not any((e.kind, e.symbol) == (event.kind, event.symbol) for e in later)


def with_resolutions(history: Iterable[SessionEvents]) -> tuple[RiskEvent, ...]:
    """Return the events of consecutive sessions, each with the session that resolved it."""
    events: list[RiskEvent] = []
    pending: list[int] = []
    # Dozens of these last for months, and only a change of the pairs can resolve one.
    pending_pairs: list[tuple[int, frozenset[str]]] = []
    state, correlated, unchanged = None, None, False
    for after in history:
        quiet = after.state is None
        if quiet and after.correlated is None and unchanged:
            continue
        state = after.state or _quiet(state, after)
        for event in after.events:
            if event.kind == PAIR_KIND:
                pending_pairs.append((len(events), pairs_of(event)))
            else:
                pending.append(len(events))
            events.append(event)
        over = [number for number in pending if is_over(events[number], state, after.events)]
        if state.correlated != correlated:
            correlated = state.correlated
            over += [number for number, pairs in pending_pairs if pairs.isdisjoint(correlated)]
            pending_pairs = [entry for entry in pending_pairs if not entry[1].isdisjoint(correlated)]
        for number in over:
            events[number] = replace(events[number], resolved_session=after.session)
        pending = [number for number in pending if events[number].resolved_session is None]
        # After one quiet session without a cool-off, further quiet sessions cannot resolve anything.
        unchanged = quiet and not state.cooling_off
    return tuple(events)


def _quiet(before: RiskState | None, after: SessionEvents) -> RiskState:
    if before is None:
        raise ValueError(f"session {after.session} is the first and has no state")
    return replace(
        before,
        session=after.session,
        cooling_off={symbol: left - 1 for symbol, left in before.cooling_off.items() if left > 1},
        correlated=before.correlated if after.correlated is None else after.correlated,
    )


def _floor_of(event: RiskEvent) -> int:
    """Return the floor of an event; one that fell to 1 took no actions, one that fell to 0 is over at once."""
    return next((floor for floor, actions in LEVEL_ACTIONS.items() if actions == event.actions), 1)


def _any(events: Sequence[RiskEvent], kind: str) -> bool:
    return any(event.kind == kind for event in events)


def _tells_the_end(event: RiskEvent) -> bool:
    return event.reason.startswith(DEFENCE_ENDS)


def _venue(event: RiskEvent) -> str:
    return event.reason.partition(":")[0]

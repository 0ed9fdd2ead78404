"""What a risk event told ends in a session of its own, whichever kind it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.builders.decisions import make_state
from tests.builders.markets import CALENDAR, SESSION
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.risk.levels.levels import LEVEL_ACTIONS
from trading_lib.risk.levels.resolution import SessionEvents, is_over, with_resolutions


def day(number: int) -> date:
    return CALENDAR.offset(SESSION, number)


def state(number: int, **changes: Any) -> RiskState:
    return replace(make_state(**changes), session=day(number))


def event(kind: str, number: int = 0, after: int = 0, reason: str = "because", **more: Any) -> RiskEvent:
    symbol, actions = more.get("symbol", ""), more.get("actions", ())
    return RiskEvent(day(number), kind, symbol, 0, after, reason, actions)


FLOOR_1, FLOOR_2 = (event("floor", after=k, actions=LEVEL_ACTIONS[k]) for k in (1, 2))
PAIRS = event("pair_correlation", actions=("WARNING", "REDUCE_COMBINED_CAP SPY/QQQ", "REDUCE_COMBINED_CAP GLD/SLV"))


@pytest.mark.parametrize(
    ("told", "lasts", "ends"),
    [
        (event("level_raised", after=3), {"level": 3}, {"level": 2}),
        (event("level_raised", after=1), {"level": 4}, {"level": 0}),
        (event("reduction", after=2), {"level": 1, "effective_level": 2}, {"level": 1, "effective_level": 1}),
        (FLOOR_2, {"floor": 2}, {"floor": 1}),
        (FLOOR_1, {"floor": 2}, {"floor": 0}),
        (event("floor", reason="average correlation 0.55"), {"floor": 1}, {"floor": 0}),
        (event("stop_exit", symbol="SPY"), {"cooling_off": {"SPY": 1}}, {"cooling_off": {"QQQ": 5}}),
        (event("stop_reduce", symbol="SPY"), {"cooling_off": {"SPY": 5}}, {}),
        (event("recovery"), {"recovery_sessions": 3}, {"recovery_sessions": None}),
        (event("retired", symbol="SPY", actions=("EXIT",)), {"ceilings": {"SPY": 1}}, {}),
        (event("retired", symbol="SPY"), {"retired": frozenset({"SPY"})}, {"ceilings": {"SPY": 1}}),
        (PAIRS, {"correlated": frozenset({"GLD/SLV"})}, {"correlated": frozenset({"XLK/XLF"})}),
    ],
    ids=lambda value: value.kind if isinstance(value, RiskEvent) else "",
)
def test_a_condition_lasts_as_long_as_the_state_says(
    told: RiskEvent, lasts: dict[str, Any], ends: dict[str, Any]
) -> None:
    assert not is_over(told, state(0, **lasts), [told])
    assert not is_over(told, state(1, **lasts), [])
    assert is_over(told, state(1, **ends), [])


@pytest.mark.parametrize(
    ("told", "later"),
    [
        (event("regime", reason="^VIX 31"), event("regime", 1, reason="^VIX 35")),
        (event("recovery"), event("recovery", 1)),
        (event("defence", reason="defence begins: 3 of 5"), event("defence", 1, reason="defence ends: 1 of 5")),
        (event("carry_entry", reason="BINANCE: high"), event("carry_exit", 1, reason="BINANCE: low")),
        (event("carry_pause", reason="BINANCE: odd"), event("carry_entry", 1, reason="BINANCE: high")),
    ],
    ids=lambda value: value.kind,
)
def test_a_condition_lasts_until_another_is_told(told: RiskEvent, later: RiskEvent) -> None:
    known = {"regime": "HIGH_VOL", "recovery_sessions": 2}
    other = replace(later, kind="level_raised")
    assert not is_over(told, state(0, **known), [told])
    assert not is_over(told, state(1, **known), [other])
    assert is_over(told, state(1, **known), [other, later])


def test_another_venue_ends_nothing() -> None:
    told = event("carry_entry", reason="BINANCE: high")
    assert not is_over(told, state(1), [event("carry_exit", 1, reason="BYBIT: low")])


@pytest.mark.parametrize(
    "told",
    [
        event("level_lowered"),
        event("approval"),
        event("carry_exit", reason="BINANCE: low"),
        event("defence", reason="defence ends: 1 of 5"),
        event("floor", reason="the correlation floor no longer applies"),
        event("regime", reason="^VIX 15.00: the regime is NORMAL, before HIGH_VOL"),
        event("recovery", reason="the re-entry ladder reached full size"),
        event("pair_correlation", reason="no longer above 0.65: SPY/QQQ 0.60"),
    ],
    ids=lambda value: value.kind,
)
def test_what_reports_an_end_is_over_at_once(told: RiskEvent) -> None:
    assert is_over(told, state(0, regime="NORMAL"), [told])


@pytest.mark.parametrize("kind", ["sleeve_fault", "cash", "of_a_strategy_of_mine"])
def test_a_fault_lasts_as_long_as_it_is_told_again(kind: str) -> None:
    told = event(kind, symbol="SPY")
    assert not is_over(told, state(0), [told])
    assert not is_over(told, state(1), [event(kind, 1, symbol="SPY")])
    assert is_over(told, state(1), [event(kind, 1, symbol="QQQ")])


def test_a_history_resolves_each_event_once_and_counts_cool_offs_through_quiet_sessions() -> None:
    stop = event("stop_exit", 1, symbol="SPY")
    raised, lowered = event("level_raised", 1, after=1), event("level_lowered", 7)
    fault = event("sleeve_fault", 1)
    history = [
        SessionEvents(day(0), (), state(0)),
        SessionEvents(day(1), (stop, raised, fault), state(1, level=1, cooling_off={"SPY": 3})),
        *(SessionEvents(day(number), (), None) for number in range(2, 6)),
        SessionEvents(day(6), (event("pair_correlation", 6, actions=PAIRS.actions),), None, frozenset({"SPY/QQQ"})),
        SessionEvents(day(7), (lowered,), state(7, correlated=frozenset({"SPY/QQQ"}))),
        SessionEvents(day(8), (), None, frozenset()),
        SessionEvents(day(9), (), None),
    ]
    found = {e.kind: e.resolved_session for e in with_resolutions(history)}
    assert found == {
        "stop_exit": day(4),
        "level_raised": day(7),
        "sleeve_fault": day(2),
        "pair_correlation": day(8),
        "level_lowered": day(7),
    }


def test_an_event_that_lasts_is_not_resolved() -> None:
    [found] = with_resolutions([SessionEvents(day(0), (event("level_raised", after=1),), state(0, level=1))])
    assert found.resolved_session is None
    assert found.open_at(day(0))
    ended = replace(found, resolved_session=day(2))
    assert [ended.open_at(day(k)) for k in (-1, 0, 1, 2)] == [False, True, True, False]

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.builders.books import NOW, SESSION, book, open_books
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.record import DecisionRecord
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.decision.signals import MarketRegime, SignalType, TradeSignal
from trading_lib.domain.errors import DecisionConflictError, InputError, NaiveDatetimeError

pytestmark = pytest.mark.postgres

NEXT = date(2024, 3, 5)
fresh_book = count()

STATE = RiskState(
    session=SESSION,
    level=2,
    effective_level=3,
    peak=100_123.45,
    reference_peak=1 / 3,
    calm_sessions=4,
    awaiting_approval=True,
    ceilings={"SPY": Decimal("10"), "BTC-USD": Decimal("0.12345678")},
    halved=frozenset({"QQQ", "GLD"}),
    cooling_off={"TLT": 3},
    recovery_sessions=None,
)
EVENTS = (
    RiskEvent(SESSION, "level_raised", "", 1, 2, "drawdown 8.1 %", ("reduce by 30 %", "sell only")),
    RiskEvent(SESSION, "stop_exit", "TLT", 2, 2, "18.2 % below cost"),
)
PORTFOLIO = Portfolio(
    session=SESSION,
    cash=Decimal("5000.10"),
    nav=Decimal("100123.45"),
    positions={
        "SPY": Position("SPY", Decimal(10), Decimal("510.333333333333333333")),
        "BTC-USD": Position("BTC-USD", Decimal("0.12345678"), Decimal("61234.5")),
    },
    marks={"SPY": Decimal("512.30"), "BTC-USD": Decimal("62000.00")},
    realised_pnl=Decimal("-12.34"),
    dividends=Decimal("0.1"),
    costs=Decimal("7.00"),
)
RECORD = DecisionRecord(
    book="paper",
    session=SESSION,
    decided_at=NOW,
    regime="NORMAL",
    risk_level=1,
    config_hash="c0ffee",
    code_version="0.1.0",
    payload={"weights": {"SPY": 0.1}, "cash": Decimal("1.50"), "next": NEXT, "orders": []},
)


def signal(symbol: str = "SPY", **changes: object) -> TradeSignal:
    values = TradeSignal(symbol, SESSION, SignalType.STRONG_BUY, 0.7, 0.25, MarketRegime.ELEVATED, "momentum 12.1 %")
    return replace(values, **changes)


@pytest.fixture
def store(engine: Engine) -> StateStore:
    open_books(engine, "paper", "demo")
    return StateStore(engine, clock=lambda: NOW)


def test_stage_payload_keeps_its_types(store: StateStore) -> None:
    payload = {"cash": Decimal("1.10"), "session": SESSION, "at": NOW, "weights": [0.1, float("inf")], "none": None}
    assert store.save_stage("paper", SESSION, "targets", payload)
    restored = store.stage("paper", SESSION, "targets")
    assert restored == payload
    assert str(restored["cash"]) == "1.10"
    assert store.stage("paper", SESSION, "risk") is None
    assert store.stage("demo", SESSION, "targets") is None


def test_identical_stage_is_no_write_and_another_a_conflict(engine: Engine, store: StateStore) -> None:
    store.save_stage("paper", SESSION, "targets", {"cash": Decimal("1.10"), "a": 1})
    before = table_contents(engine, "decision_stages")
    later = StateStore(engine, clock=lambda: NOW + timedelta(hours=1))
    assert not later.save_stage("paper", SESSION, "targets", {"a": 1, "cash": Decimal("1.1")})
    with pytest.raises(DecisionConflictError, match=r"decision_stages.*'paper'.*2024-03-04.*'targets'") as caught:
        later.save_stage("paper", SESSION, "targets", {"a": 2, "cash": Decimal("1.1")})
    assert "\n" not in str(caught.value)
    assert table_contents(engine, "decision_stages") == before


def test_decision_comes_back_and_the_first_one_stands(store: StateStore) -> None:
    assert store.last_session("paper") is None
    assert store.save_decision(RECORD)
    assert store.decision("paper", SESSION) == RECORD
    assert store.decision("paper", NEXT) is None
    assert not store.save_decision(replace(RECORD, code_version="0.2.0", decided_at=NOW + timedelta(minutes=1)))
    assert store.decision("paper", SESSION) == RECORD
    store.save_decision(replace(RECORD, session=NEXT))
    assert store.last_session("paper") == NEXT
    assert store.last_session("demo") is None


@pytest.mark.parametrize(
    "changes", [{"regime": "EXTREME"}, {"risk_level": 2}, {"config_hash": "other"}, {"payload": {"weights": {}}}]
)
def test_other_decision_for_a_decided_session_is_a_conflict(store: StateStore, changes: dict[str, object]) -> None:
    store.save_decision(RECORD)
    with pytest.raises(DecisionConflictError, match="decisions of book 'paper', session 2024-03-04"):
        store.save_decision(replace(RECORD, **changes))
    assert store.decision("paper", SESSION) == RECORD


def test_signals_come_back_with_the_weights_held(engine: Engine, store: StateStore) -> None:
    given_signals = [signal("SPY"), signal("GLD", signal=SignalType.HOLD, reason="no factor", confidence=0.0)]
    assert store.save_signals("paper", given_signals, {"SPY": 0.123})
    before = table_contents(engine, "signal_log")
    assert not store.save_signals("paper", given_signals[::-1], {"SPY": 0.123})
    assert table_contents(engine, "signal_log") == before
    assert store.signals("paper", SESSION) == [(given_signals[1], 0.0), (given_signals[0], 0.123)]


@pytest.mark.parametrize(
    "other",
    [
        [signal("SPY", confidence=0.71), signal("GLD")],
        [signal("SPY")],
        [signal("SPY"), signal("GLD"), signal("TLT")],
        [signal("TLT")],
        [signal("SPY"), signal("TLT")],
    ],
)
def test_other_signals_for_a_session_are_a_conflict(
    engine: Engine, store: StateStore, other: list[TradeSignal]
) -> None:
    store.save_signals("paper", [signal("SPY"), signal("GLD")], {})
    before = table_contents(engine, "signal_log")
    with pytest.raises(DecisionConflictError, match="signal_log of book 'paper', session 2024-03-04"):
        store.save_signals("paper", other, {})
    assert table_contents(engine, "signal_log") == before


def test_signals_of_two_sessions_or_none_are_refused(store: StateStore) -> None:
    for signals in ([], [signal(), signal("GLD", session=NEXT)]):
        with pytest.raises(InputError, match="one session at a time"):
            store.save_signals("paper", signals, {})


def test_portfolio_comes_back_exactly(engine: Engine, store: StateStore) -> None:
    assert store.save_portfolio("paper", PORTFOLIO)
    restored = store.portfolio("paper", SESSION)
    assert restored == PORTFOLIO
    # Decimals are equal across scales; their digits come back as well.
    assert repr(restored.positions["SPY"]) == repr(PORTFOLIO.positions["SPY"])
    assert (str(restored.cash), str(restored.marks["BTC-USD"])) == ("5000.10", "62000.00")
    before = table_contents(engine, "portfolio_state")
    assert not store.save_portfolio("paper", replace(PORTFOLIO, cash=Decimal("5000.1")))
    assert table_contents(engine, "portfolio_state") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"cash": Decimal("5000.11")},
        {"nav": Decimal(0)},
        {"positions": {}},
        {"marks": {**PORTFOLIO.marks, "SPY": Decimal("512.31")}},
        {"realised_pnl": Decimal(0)},
        {"dividends": Decimal(0)},
        {"costs": Decimal(0)},
    ],
)
def test_other_portfolio_for_a_session_is_a_conflict(store: StateStore, changes: dict[str, object]) -> None:
    store.save_portfolio("paper", PORTFOLIO)
    with pytest.raises(DecisionConflictError, match=f"portfolio_state.*differs in {next(iter(changes))}"):
        store.save_portfolio("paper", replace(PORTFOLIO, **changes))
    assert store.portfolio("paper", SESSION) == PORTFOLIO


amounts = st.decimals(-(10**12), 10**12, places=8)
positive = st.decimals("0.00000001", 10**9, places=8)
symbols = st.sampled_from(["SPY", "BTC-USD", "^VIX", "$decimal", "ü\"'"])
held = st.dictionaries(symbols, st.tuples(positive, positive, positive), max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(amounts, amounts, amounts, amounts, amounts), held, st.floats(allow_nan=False), st.floats(0, 1))
def test_any_portfolio_and_risk_state_round_trip(
    shared_engine: Engine,
    money: tuple[Decimal, ...],
    holdings: dict[str, tuple[Decimal, Decimal, Decimal]],
    peak: float,
    reference: float,
) -> None:
    name = f"book-{next(fresh_book)}"
    BookStore(shared_engine).open_book(book(name))
    store = StateStore(shared_engine)
    cash, nav, realised_pnl, dividends, costs = money
    positions = {symbol: Position(symbol, quantity, cost) for symbol, (quantity, cost, _) in holdings.items()}
    marks = {symbol: mark for symbol, (_, _, mark) in holdings.items()}
    portfolio = Portfolio(SESSION, cash, nav, positions, marks, realised_pnl, dividends, costs)
    state = RiskState(SESSION, 1, 2, peak, reference, ceilings=marks, halved=frozenset(holdings))
    assert store.save_portfolio(name, portfolio)
    assert store.save_risk(name, state)
    assert store.portfolio(name, SESSION) == portfolio
    assert store.risk_state(name, SESSION) == state
    assert not store.save_portfolio(name, portfolio)
    assert not store.save_risk(name, state)


def test_latest_before_a_session_never_looks_ahead(store: StateStore) -> None:
    days = [SESSION + timedelta(days=offset) for offset in (0, 1, 2)]
    for number, day in enumerate(days):
        store.save_portfolio("paper", replace(PORTFOLIO, session=day, nav=Decimal(number)))
        store.save_risk("paper", replace(STATE, session=day))
    assert store.latest_portfolio("paper").session == days[2]
    assert store.latest_portfolio("paper", before=days[2]).session == days[1]
    assert store.latest_risk_state("paper", before=days[1]).session == days[0]
    assert store.latest_portfolio("paper", before=days[0]) is None
    assert store.latest_risk_state("demo") is None
    assert store.nav_history("paper") == [(day, Decimal(number)) for number, day in enumerate(days)]
    assert store.nav_history("demo") == []


def test_risk_state_and_events_come_back(engine: Engine, store: StateStore) -> None:
    assert store.save_risk("paper", STATE, EVENTS)
    assert store.risk_state("paper", SESSION) == STATE
    assert tuple(store.risk_events("paper")) == EVENTS
    assert store.risk_events("paper", NEXT) == []
    before = table_contents(engine, "risk_state", "risk_events")
    assert not store.save_risk("paper", STATE, EVENTS)
    assert table_contents(engine, "risk_state", "risk_events") == before


@pytest.mark.parametrize(
    ("state", "events"),
    [
        (replace(STATE, level=3), EVENTS),
        (replace(STATE, halved=frozenset()), EVENTS),
        (STATE, EVENTS[:1]),
        (STATE, EVENTS[::-1]),
        (STATE, ()),
        (STATE, (*EVENTS, EVENTS[0])),
    ],
)
def test_other_risk_state_or_events_are_a_conflict(
    engine: Engine, store: StateStore, state: RiskState, events: tuple[RiskEvent, ...]
) -> None:
    store.save_risk("paper", STATE, EVENTS)
    before = table_contents(engine, "risk_state", "risk_events")
    with pytest.raises(DecisionConflictError, match=r"risk_(state|events) of book 'paper', session 2024-03-04"):
        store.save_risk("paper", state, events)
    assert table_contents(engine, "risk_state", "risk_events") == before


def test_events_are_not_stored_without_their_state(engine: Engine, store: StateStore) -> None:
    """One transaction: an event that cannot be stored takes the state with it."""
    with pytest.raises(ValueError, match="NUL"):
        store.save_risk("paper", STATE, [replace(EVENTS[0], reason="\x00")])
    assert store.risk_state("paper", SESSION) is None


def test_unknown_book_is_an_input_error(engine: Engine, store: StateStore) -> None:
    attempts = [
        lambda: store.save_stage("nowhere", SESSION, "targets", {}),
        lambda: store.save_decision(replace(RECORD, book="nowhere")),
        lambda: store.save_signals("nowhere", [signal()], {}),
        lambda: store.save_portfolio("nowhere", PORTFOLIO),
        lambda: store.save_risk("nowhere", STATE),
    ]
    for attempt in attempts:
        with pytest.raises(InputError, match="there is no book 'nowhere'"):
            attempt()


def test_naive_times_are_refused(engine: Engine, store: StateStore) -> None:
    with pytest.raises(NaiveDatetimeError):
        store.save_decision(replace(RECORD, decided_at=datetime(2024, 3, 4)))
    with pytest.raises(NaiveDatetimeError):
        StateStore(engine, clock=lambda: datetime(2024, 3, 4)).save_stage("paper", SESSION, "targets", {})


def test_two_runs_of_one_session_leave_one_row(store: StateStore, engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: store.save_portfolio("paper", PORTFOLIO), range(4))) == [False] * 3 + [True]
        assert sorted(pool.map(lambda _: store.save_risk("paper", STATE, EVENTS), range(4))) == [False] * 3 + [True]
        assert sorted(pool.map(lambda _: store.save_signals("paper", [signal()], {}), range(4))) == [False] * 3 + [True]
    assert [len(rows) for rows in table_contents(engine, "portfolio_state", "risk_events", "signal_log").values()] == [
        1,
        2,
        1,
    ]


def test_default_clock_is_in_utc(engine: Engine) -> None:
    open_books(engine, "paper")
    before = datetime.now(UTC)
    StateStore(engine).save_stage("paper", SESSION, "targets", {})
    (row,) = table_contents(engine, "decision_stages")["decision_stages"]
    assert f"{before:%Y-%m-%d}" in row
    assert "+00" in row


def test_an_event_is_resolved_with_the_session_that_ended_it_and_once(engine: Engine) -> None:
    open_books(engine, "paper")
    store, third = StateStore(engine), date(2024, 3, 6)
    raised = replace(STATE, level=2, cooling_off={"TLT": 2})
    assert store.save_risk("paper", raised, EVENTS)
    assert [event.resolved_session for event in store.risk_events("paper")] == [None, None]
    lowered = RiskEvent(NEXT, "level_lowered", "", 2, 1, "calm")
    after = replace(STATE, session=NEXT, level=1, cooling_off={"TLT": 1})
    assert store.save_risk("paper", after, [lowered])
    assert [event.resolved_session for event in store.risk_events("paper")] == [NEXT, None, NEXT]
    assert store.save_risk("paper", replace(after, session=third, level=0, cooling_off={}))
    stored = store.risk_events("paper")
    assert [event.resolved_session for event in stored] == [NEXT, third, NEXT]
    assert stored == [*EVENTS, lowered], "nothing else of an event changes"


def test_storing_a_session_again_after_its_events_were_resolved_changes_nothing(engine: Engine) -> None:
    open_books(engine, "paper")
    store = StateStore(engine)
    store.save_risk("paper", STATE, EVENTS)
    store.save_risk("paper", replace(STATE, session=NEXT, level=0, cooling_off={}))
    before = table_contents(engine, "risk_events")
    assert not store.save_risk("paper", STATE, EVENTS)
    assert not store.save_risk("paper", replace(STATE, session=NEXT, level=0, cooling_off={}))
    assert table_contents(engine, "risk_events") == before
    with pytest.raises(DecisionConflictError):
        store.save_risk("paper", STATE, [replace(EVENTS[0], reason="another"), EVENTS[1]])


def test_another_book_resolves_nothing(engine: Engine) -> None:
    open_books(engine, "paper", "other")
    store = StateStore(engine)
    store.save_risk("paper", STATE, EVENTS)
    store.save_risk("other", replace(STATE, session=NEXT, level=0, cooling_off={}))
    assert [event.resolved_session for event in store.risk_events("paper")] == [None, None]


def test_an_event_of_another_book_that_would_be_over_does_not_touch_the_own_one(engine: Engine) -> None:
    open_books(engine, "paper", "other")
    store = StateStore(engine)
    store.save_risk("paper", STATE, EVENTS)
    store.save_risk("other", replace(STATE, level=3), [replace(EVENTS[0], level_after=3)])
    store.save_risk("paper", replace(STATE, session=NEXT))
    for name in ("paper", "other"):
        assert {event.resolved_session for event in store.risk_events(name)} == {None}


def test_a_state_that_failed_to_be_stored_resolves_nothing(engine: Engine) -> None:
    open_books(engine, "paper")
    store = StateStore(engine)
    store.save_risk("paper", STATE, EVENTS)
    twice = [RiskEvent(NEXT, "level_lowered", "", 2, 0, "calm\x00")]
    with pytest.raises(Exception):  # noqa: B017, PT011
        store.save_risk("paper", replace(STATE, session=NEXT, level=0, cooling_off={}), twice)
    assert store.risk_state("paper", NEXT) is None
    assert [event.resolved_session for event in store.risk_events("paper")] == [None, None]

"""Questions of risk control and their answers on a real database: a paper book that meets a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders.settings import make_settings
from tests.e2e.crash import AFTER, BEFORE, BOOK, CRASH, LAST, write_crash_folder
from tests.environment.database import MakeDatabase, table_contents
from tests.peers.airflow_interface import airflow_peer
from tests.peers.airflow_interface import details as hitl_details
from trading_lib.adapters.services.airflow.rest import AirflowClient, HumanAnswer
from trading_lib.adapters.stores.books.approval_store import ApprovalStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.book.approvals import Channel
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.errors import DecisionConflictError, InputError
from trading_lib.workflows.books import approvals
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import airflow_answers
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.daily import trade_session

pytestmark = pytest.mark.postgres

ANSWERED_AT = datetime(2021, 3, 6, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crash_folder(tmp_path_factory.mktemp("crash") / "prices")


@pytest.fixture(scope="module")
def stored(make_database: MakeDatabase, prices: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Database with the whole history and no book."""
    url = make_database()
    settings = make_settings(url, tmp_path_factory.mktemp("stored"))
    fetching.ingest_history(planner(settings, prices)(LAST), settings, LAST)
    return url


@pytest.fixture(scope="module")
def crashed(make_database: MakeDatabase, stored: str, prices: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Database with a book that has met the crash."""
    url = make_database(of=stored)
    settings = make_settings(url, tmp_path_factory.mktemp("crashed"))
    crash(settings, planner(settings, prices))
    return url


@pytest.fixture
def settings(crashed: str, make_database: MakeDatabase, tmp_path: Path) -> Settings:
    """The book of `crashed` in a database of the test's own."""
    return make_settings(make_database(of=crashed), tmp_path)


@pytest.fixture
def plan(settings: Settings, prices: Path) -> Callable[..., dict[str, Any]]:
    return planner(settings, prices)


def planner(settings: Settings, prices: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that plans a session of a book on the crash."""

    def make(session: date, book: str = BOOK) -> dict[str, Any]:
        return market_data.plan(session.isoformat(), "files", str(prices), book, settings)

    return make


def crash(settings: Settings, plan: Callable[..., dict[str, Any]], book: str = BOOK) -> None:
    for session in (*BEFORE, CRASH):
        trade_session(plan(session, book), settings)


def response(option: str, note: str = "") -> dict[str, Any]:
    """What the approval task of the DAG returns."""
    user = {"id": "1", "name": "alice"}
    return {
        "chosen_options": [option],
        "params_input": {"note": note},
        "responded_at": ANSWERED_AT,
        "responded_by_user": user,
    }


def sessions_after(settings: Settings, count: int) -> list[date]:
    return [settings.calendar.offset(CRASH, k) for k in range(1, count + 1)]


def test_a_crash_liquidates_at_once_and_asks_a_person(settings: Settings, plan: Callable[..., dict[str, Any]]) -> None:
    store, orders = StateStore(settings.engine()), OrderStore(settings.engine())
    state = store.risk_state(BOOK, CRASH)
    assert state is not None
    assert (state.level, state.question, state.awaiting_approval) == (4, CRASH, True)
    held = store.portfolio(BOOK, CRASH)
    assert held is not None
    sent = orders.orders(BOOK, session=CRASH)
    assert {order.symbol for order, _ in sent} == set(held.positions)
    assert {order.purpose for order, _ in sent} == {OrderPurpose.RISK}
    assert {str(status) for _, status in sent} == {"WORKING"}, "nothing waits for the answer"
    question = approvals.open_question(BOOK, settings)
    assert question is not None
    assert "re-entry from level 4" in question.subject
    assert f"{question.drawdown:.2%}" in question.body
    assert approvals.asked_by_session(plan(CRASH), settings) == {
        "book": BOOK,
        "run_id": f"{BOOK}__{CRASH}__0",
    }
    assert approvals.asked_by_session(plan(BEFORE[-1]), settings) == {}


def test_a_stop_of_a_weekend_leaves_the_question_as_it_was(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    """The newest risk state is then of a day of which there is no portfolio."""
    asked, store = approvals.open_question(BOOK, settings), StateStore(settings.engine())
    state = store.risk_state(BOOK, CRASH)
    assert state is not None
    store.save_risk(BOOK, replace(state, session=CRASH + timedelta(days=1)), ())
    assert approvals.open_question(BOOK, settings) == asked
    assert asked is not None
    assert asked.drawdown > 0.1


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_an_answer_read_from_airflow_s_own_record_is_stored_once(
    settings: Settings, plan: Callable[..., dict[str, Any]], option: str
) -> None:
    """The task that waited returned nothing; record runs, is cleared and runs again."""
    asked = approvals.asked_in_airflow(BOOK, settings)
    found = HumanAnswer((option,), {"note": "at once"}, ANSWERED_AT, {"id": "1", "name": "alice"})
    first, again = (approvals.record_response(asked, asdict(found), settings) for _ in range(2))
    assert (first["stored"], again["stored"]) == (True, False)
    assert first | {"stored": False} == again
    assert (first["approved"], first["answered_by"], first["note"]) == (option == "Approve", "alice", "at once")
    with pytest.raises(DecisionConflictError, match="that answer stands"):
        approvals.answer(BOOK, CRASH, option != "Approve", "bob", "", settings)


def test_an_answer_given_after_its_run_had_ended_is_found_by_the_next_session(
    settings: Settings, plan: Callable[..., dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """The run of the first question ended unanswered; the second one waits while the first is answered after all."""
    details = "/api/v2/dags/risk_approval/dagRuns/{}/taskInstances/approval/-1/hitlDetails"
    first, second = (details.format(f"{BOOK}__{CRASH}__{k}") for k in (0, 1))
    with airflow_peer() as peer:
        client = AirflowClient(peer.url, "admin", "hunter2")
        assert airflow_answers.store_late_answer(plan(CRASH), settings, client) == {}
        assert peer.requests == [], "what was asked in this very session has no answer yet"
        later = sessions_after(settings, 5)[-1]
        for session in sessions_after(settings, 5):
            trade_session(plan(session), settings)
        peer.answers[f"GET {first}"] = [(500, "broken"), unanswered := hitl_details(None), hitl_details("Reject")]
        peer.answers[f"GET {second}"] = [unanswered]
        assert airflow_answers.store_late_answer(plan(later), settings, client) == {}
        assert "late answers" in caplog.text
        assert airflow_answers.store_late_answer(plan(later), settings, client) == {}
        assert approvals.open_question(BOOK, settings) is not None
        stored = airflow_answers.store_late_answer(plan(later), settings, client)
        assert (stored["stored"], stored["approved"], stored["session"]) == (True, False, CRASH.isoformat())
        asked = len(peer.requests)
        assert airflow_answers.store_late_answer(plan(later), settings, client) == {}
        assert len(peer.requests) == asked, "an answered question is looked for no more"


@pytest.mark.parametrize("chosen", [[], ["approve"], ["Approve", "Reject"], ["Maybe"]])
def test_an_answer_that_is_neither_yes_nor_no_is_not_taken_for_a_no(
    settings: Settings, plan: Callable[..., dict[str, Any]], chosen: list[str]
) -> None:
    asked = approvals.asked_in_airflow(BOOK, settings)
    with pytest.raises(InputError, match="neither Approve nor Reject; nothing was stored"):
        approvals.record_response(asked, response("Reject") | {"chosen_options": chosen}, settings)
    assert approvals.open_question(BOOK, settings) is not None


def test_an_unanswered_question_stays_open_and_is_asked_anew_after_five_sessions(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    run_ids = []
    for session in sessions_after(settings, 6):
        trade_session(plan(session), settings)
        run_ids.append(approvals.asked_by_session(plan(session), settings)["run_id"])
    assert [run_id.rpartition("__")[2] for run_id in run_ids] == ["0", "0", "0", "0", "1", "1"]
    state = StateStore(settings.engine()).latest_risk_state(BOOK)
    assert state is not None
    assert (state.level, state.calm_sessions, state.question) == (4, state.calm_sessions, CRASH)
    bought = [o for o, _ in OrderStore(settings.engine()).orders(BOOK) if o.session > CRASH and o.side is Side.BUY]
    assert bought == []


def test_an_approval_takes_effect_in_the_next_session_and_is_told(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    asked = approvals.asked_in_airflow(BOOK, settings)
    stored = approvals.record_response(asked, response("Approve", "  crash\nunderstood "), settings)
    assert stored == {
        "stored": True,
        "book": BOOK,
        "session": CRASH.isoformat(),
        "level": 4,
        "approved": True,
        "answered_by": "alice",
        "answered_at": ANSWERED_AT.isoformat(),
        "note": "crash understood",
        "channel": "airflow",
    }
    assert approvals.open_question(BOOK, settings) is None
    assert approvals.asked_in_airflow(BOOK, settings) == {}
    trade_session(plan(AFTER), settings)
    store = StateStore(settings.engine())
    state = store.risk_state(BOOK, AFTER)
    assert state is not None
    assert (state.level, state.approved, state.awaiting_approval, state.question) == (4, True, False, None)
    told = [event for event in store.risk_events(BOOK, AFTER) if event.kind == "approval"]
    assert [event.reason for event in told] == [
        f"alice approved re-entry from level 4, asked in session {CRASH}: crash understood"
    ]
    decision = store.decision(BOOK, AFTER)
    assert decision is not None
    assert decision.payload["approval"] == {"question": CRASH, "answered": True}
    levels = [state.level]
    for session in sessions_after(settings, 12)[1:]:
        trade_session(plan(session), settings)
        levels.append(store.risk_state(BOOK, session).level)  # type: ignore[union-attr]
    assert 3 in levels, "with the approval and calm sessions level 4 is left"


def test_a_rejection_is_stored_and_the_next_session_asks_again(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    approvals.record_response(approvals.asked_in_airflow(BOOK, settings), response("Reject", "not yet"), settings)
    trade_session(plan(AFTER), settings)
    store = StateStore(settings.engine())
    state = store.risk_state(BOOK, AFTER)
    assert state is not None
    assert (state.level, state.approved, state.question) == (4, False, AFTER)
    assert [e.reason for e in store.risk_events(BOOK, AFTER) if e.kind == "approval"] == [
        f"alice rejected re-entry from level 4, asked in session {CRASH}: not yet"
    ]
    assert approvals.answer(BOOK, None, True, "bob", "", settings)["session"] == AFTER.isoformat()
    assert [a.approved for a in ApprovalStore(settings.engine()).answers(BOOK)] == [False, True]


def test_an_answer_that_came_late_does_not_change_a_decided_session(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    trade_session(plan(AFTER), settings)
    asked = approvals.asked_in_airflow(BOOK, settings)
    approvals.record_response(asked, response("Approve"), settings)
    before = table_contents(settings.engine(), *metadata.tables)
    trade_session(plan(AFTER), settings)
    trading.risk(plan(AFTER), BookRun.open(plan(AFTER), settings))
    assert approvals.record_response(asked, response("Approve"), settings)["stored"] is False
    assert table_contents(settings.engine(), *metadata.tables) == before
    following = sessions_after(settings, 2)[-1]
    trade_session(plan(following), settings)
    state = StateStore(settings.engine()).risk_state(BOOK, following)
    assert state is not None
    assert state.approved


def test_an_answer_stands(settings: Settings, plan: Callable[..., dict[str, Any]]) -> None:
    approvals.answer(BOOK, CRASH, False, "alice", "", settings)
    assert approvals.answer(BOOK, CRASH, False, "bob", "", settings)["answered_by"] == "alice"
    with pytest.raises(DecisionConflictError, match="alice rejected the question of session 2021-03-05"):
        approvals.answer(BOOK, CRASH, True, "bob", "", settings)


@pytest.mark.parametrize("session", [BEFORE[0], AFTER])
def test_only_the_open_question_can_be_answered(
    settings: Settings, plan: Callable[..., dict[str, Any]], session: date
) -> None:
    with pytest.raises(InputError, match=f"asks for no approval .session {CRASH} does"):
        approvals.answer(BOOK, session, True, "alice", "", settings)
    with pytest.raises(InputError, match="at most 500"):
        approvals.answer(BOOK, CRASH, True, "alice", "x" * 501, settings)
    with pytest.raises(InputError, match="there is no book 'nobody'"):
        approvals.answer("nobody", None, True, "alice", "", settings)
    assert ApprovalStore(settings.engine()).answers() == []


def test_a_book_without_a_question_takes_no_answer(
    stored: str, make_database: MakeDatabase, prices: Path, tmp_path: Path
) -> None:
    settings = make_settings(make_database(of=stored), tmp_path)
    trade_session(planner(settings, prices)(BEFORE[0]), settings)
    assert approvals.open_question(BOOK, settings) is None
    with pytest.raises(InputError, match="asks for no approval"):
        approvals.answer(BOOK, None, True, "alice", "", settings)
    assert approvals.listing(settings=settings) == {"open": [], "answered": []}


def test_a_simulated_book_takes_its_answer_from_the_configuration_and_keeps_it(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    book = "demo-crash"
    crash(settings, plan, book)
    assert approvals.open_question(book, settings) is None
    assert approvals.asked_by_session(plan(CRASH, book), settings) == {}
    trade_session(plan(AFTER, book), settings)
    found = ApprovalStore(settings.engine()).answers(book)
    assert [(a.session, a.level, a.approved, a.channel) for a in found] == [(CRASH, 4, True, Channel.CONFIGURATION)]
    state = StateStore(settings.engine()).risk_state(book, AFTER)
    assert state is not None
    assert state.approved


def test_a_demo_book_without_simulated_approval_asks_as_well(
    settings: Settings, plan: Callable[..., dict[str, Any]]
) -> None:
    decision = settings.configuration.decision
    strict = decision.model_copy(update={"risk": decision.risk.model_copy(update={"simulated_approval": False})})
    asking = replace(settings, configuration=replace(settings.configuration, decision=strict))
    crash(asking, plan, "demo-crash")
    assert approvals.open_question("demo-crash", asking) is not None


def test_no_response_changes_nothing(settings: Settings, plan: Callable[..., dict[str, Any]]) -> None:
    asked = approvals.asked_in_airflow(BOOK, settings)
    assert approvals.record_response(asked, None, settings)["stored"] is False
    assert approvals.open_question(BOOK, settings) is not None
    assert [q["book"] for q in approvals.listing(BOOK, settings)["open"]] == [BOOK]

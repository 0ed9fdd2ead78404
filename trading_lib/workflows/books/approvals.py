"""Questions of risk control to the operator, and the answers, however they come: Airflow, command line, configuration.

A question is open in a book's newest risk state; an answer is stored and takes effect in the next session that is
decided. Nothing here waits for anybody (docs/adr/0007-approvals.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.stores.books.approval_store import ApprovalStore
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.approvals import Approval, Channel
from trading_lib.domain.book.books import Book, BookKind
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.errors import DecisionConflictError, InputError
from trading_lib.risk.levels.approvals import SUBJECTS
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.stage_log import logged

Result = dict[str, Any]

APPROVE, REJECT = "Approve", "Reject"
STAGE = "approval"
NOTE_LENGTH = 500
# A question without an answer is asked again after so many sessions.
REMIND_SESSIONS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the operator.

    Attributes
    ----------
    session
        The session whose risk assessment asked; with the book it names the question.
    newest_session
        The book's newest decided session, of which drawdown and calm sessions are.
    """

    book: str
    session: date
    level: int
    newest_session: date
    drawdown: float
    calm_sessions: int

    @property
    def subject(self) -> str:
        """The question in one line."""
        return f"Book {self.book}: approve {SUBJECTS[self.level]}?"

    @property
    def body(self) -> str:
        """The facts behind the question, for the operator."""
        return (
            f"Risk level {self.level} since session {self.session}; drawdown {self.drawdown:.2%} from the reference "
            f"peak and {self.calm_sessions} calm sessions at {self.newest_session}. Sales went out at once and never "
            f"wait. Approved, the next session may go on with {SUBJECTS[self.level]}; rejected or without an answer "
            "there is no new risk."
        )


def open_question(book: str, settings: Settings | None = None, engine: Engine | None = None) -> Question | None:
    """Return what a book asks the operator now, None when it asks nothing or has its answer."""
    active = settings or load_settings()
    connection = engine or active.engine()
    stored_book, store = BookStore(connection).book(book), StateStore(connection)
    state = store.latest_risk_state(book)
    if state is None or state.question is None or answers_itself(stored_book, active):
        return None
    if ApprovalStore(connection).answer(book, state.question) is not None:
        return None
    # The state may be of a day without a session, of which there is no portfolio.
    portfolio = store.latest_portfolio(book, state.session + timedelta(days=1))
    nav = float(portfolio.nav) if portfolio else state.reference_peak
    session = portfolio.session if portfolio else state.session
    return Question(book, state.question, state.level, session, 1.0 - nav / state.reference_peak, state.calm_sessions)


def answers_itself(book: Book, settings: Settings) -> bool:
    """Whether a book takes answers from the configuration; only simulated ones may."""
    return book.kind in (BookKind.DEMO, BookKind.BACKTEST) and settings.configuration.decision.risk.simulated_approval


def question_record(question: Question) -> Result:
    """Values of a question that can travel between tasks."""
    return asdict(question) | {
        "session": question.session.isoformat(),
        "newest_session": question.newest_session.isoformat(),
        "subject": question.subject,
        "body": question.body,
    }


def asked_by_session(plan: SessionPlan, settings: Settings | None = None) -> Result:
    """Return what the session of a plan asks the operator and under which run id; empty when it asks nothing.

    The id names the question, so that a question is asked once however many sessions it stays open, and anew after
    every `REMIND_SESSIONS` of them.
    """
    active = settings or load_settings()
    question = open_question(plan.book, active)
    if question is None or question.newest_session != plan.session:
        return {}
    return {"book": question.book, "run_id": run_ids(question, active)[-1]}


def run_ids(question: Question, settings: Settings) -> list[str]:
    """Return the ids of the runs by which a question has been asked up to now, the newest last."""
    waited = len(settings.calendar.between(question.session, question.newest_session)) - 1
    return [f"{question.book}__{question.session}__{k}" for k in range(waited // REMIND_SESSIONS + 1)]


def asked_in_airflow(book: str, settings: Settings | None = None) -> Result:
    """Return the open question of a book for the operator at Airflow's Required Actions; empty when there is none."""
    question = open_question(book, settings)
    return {} if question is None else question_record(question)


def record_response(
    asked: Mapping[str, Any], response: Mapping[str, Any] | None, settings: Settings | None = None
) -> Result:
    """Store the answer given in Airflow; without a response nothing changes and the question stays open.

    Parameters
    ----------
    asked
        What `asked_in_airflow` returned.
    response
        chosen_options, params_input, responded_at, responded_by_user; see `airflow_answers.response_to`.
    """
    if response is None:
        return {"stored": False, "detail": "nobody answered; there is no new risk until somebody does"}
    chosen = list(response["chosen_options"])
    if chosen not in ([APPROVE], [REJECT]):
        raise InputError(
            f"the answer to session {asked['session']} of book {asked['book']} is {chosen}, neither {APPROVE} nor "
            f"{REJECT}; nothing was stored",
            "answer by `trading approvals approve|reject`",
        )
    user = response["responded_by_user"] or {}
    answered_at = response["responded_at"]
    return _store(
        Approval(
            book=asked["book"],
            session=date.fromisoformat(asked["session"]),
            level=asked["level"],
            approved=chosen == [APPROVE],
            answered_by=str(user.get("name") or user.get("id") or "unknown"),
            answered_at=answered_at if isinstance(answered_at, datetime) else datetime.fromisoformat(str(answered_at)),
            note=_checked_note(str((response["params_input"] or {}).get("note") or "")),
            channel=Channel.AIRFLOW,
        ),
        settings or load_settings(),
    )


def answer(
    book: str, session: date | None, approved: bool, answered_by: str, note: str, settings: Settings | None = None
) -> Result:
    """Answer the open question of a book from the command line.

    Parameters
    ----------
    session
        The question's session, as a check that the answer is to the open question; None for whichever is open.
    """
    active = settings or load_settings()
    engine = active.engine()
    BookStore(engine).book(book)
    state = StateStore(engine).latest_risk_state(book)
    asked = session or (state.question if state else None)
    if state is None or asked is None:
        raise InputError(f"book {book} asks for no approval", "`trading approvals list` shows the open questions")
    level = state.level if asked == state.question else 0
    return _store(
        Approval(
            book=book,
            session=asked,
            level=level,
            approved=approved,
            answered_by=answered_by,
            answered_at=active.clock(),
            note=_checked_note(note),
            channel=Channel.COMMAND_LINE,
        ),
        active,
    )


def listing(book: str | None = None, settings: Settings | None = None) -> Result:
    """Open questions and the answers so far, of one book or of all."""
    active = settings or load_settings()
    engine = active.engine()
    names = [BookStore(engine).book(book).name] if book else [stored.name for stored in BookStore(engine).books()]
    asked = [open_question(name, active, engine) for name in names]
    answers = ApprovalStore(engine).answers(book)
    return {
        "open": [question_record(question) for question in asked if question],
        "answered": [_answer_record(answer) for answer in answers],
    }


def answer_in_force(run: BookRun, state: RiskState) -> Approval | None:
    """Return the answer that takes effect in the session of a run.

    What is found the first time is stored as a stage: an answer that comes later counts from the next session on,
    also when this one is run again.
    """
    if state.question is None:
        return None
    name, store = run.book.name, ApprovalStore(run.engine)
    if answers_itself(run.book, run.settings):
        # The risk manager approves by itself; the row keeps the record of it.
        store.save(_configured(run, state))
        return None
    frozen = run.state.stage(name, run.session, STAGE)
    if frozen is None:
        stored = store.answer(name, state.question)
        frozen = {"question": state.question, "answered": stored is not None}
        run.state.save_stage(name, run.session, STAGE, frozen)
    return store.answer(name, state.question) if frozen["answered"] else None


def _configured(run: BookRun, state: RiskState) -> Approval:
    assert state.question is not None
    return Approval(
        book=run.book.name,
        session=state.question,
        level=state.level,
        approved=True,
        answered_by="configuration",
        answered_at=run.settings.calendar.decision_time(run.session),
        note="risk.yaml: simulated_approval",
        channel=Channel.CONFIGURATION,
    )


@logged("approval")
def _store(approval: Approval, settings: Settings) -> Result:
    """Store an answer to the open question; the same answer to an answered one changes nothing."""
    engine = settings.engine()
    store = ApprovalStore(engine)
    standing = store.answer(approval.book, approval.session)
    if standing is None:
        question = open_question(approval.book, settings, engine)
        if question is None or (question.session, question.level) != (approval.session, approval.level):
            now = f"session {question.session} does" if question else "it asks nothing now"
            raise InputError(
                f"session {approval.session} of book {approval.book} asks for no approval ({now}); nothing was stored",
                "`trading approvals list` shows the open questions",
            )
    elif standing.approved != approval.approved:
        raise DecisionConflictError(
            f"{standing.answered_by} {'approved' if standing.approved else 'rejected'} the question of session "
            f"{approval.session} of book {approval.book} at {standing.answered_at:%Y-%m-%d %H:%M} UTC; that answer"
            " stands",
            "answer the book's next question",
        )
    new = store.save(standing or approval)
    return {"stored": new, **_answer_record(standing or approval)}


def _answer_record(approval: Approval) -> Result:
    return asdict(approval) | {
        "session": approval.session.isoformat(),
        "answered_at": approval.answered_at.isoformat(),
        "channel": str(approval.channel),
    }


def _checked_note(note: str) -> str:
    text = " ".join(note.split())
    if len(text) > NOTE_LENGTH:
        raise InputError(f"the note has {len(text)} characters, at most {NOTE_LENGTH} are kept", "shorten it")
    return text

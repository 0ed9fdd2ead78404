"""One book in one session: the stores and the market that a trading task works with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.files.kill_switch import KillSwitch
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.books import SHADOW_SUFFIX, Book, BookKind
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.market_view import MarketView
from trading_lib.session.inputs import SessionInput
from trading_lib.workflows.books.kill_switch import kill_switch
from trading_lib.workflows.data.market import Market, session_input
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.data.tasks import checked_book
from trading_lib.workflows.learning.scores import with_model_scores
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.broker_access import check_brokers, refuse_tryouts
from trading_lib.workflows.trade.session_market import session_market
from trading_lib.workflows.trade.stage_records import assessment_from


@dataclass(frozen=True)
class BookRun:
    """The data that the tasks of one session share.

    Attributes
    ----------
    market
        As known at the session's decision time, or a longer one: a view never contains later rows.
    market_was_given
        Whether it is a longer one that replayed sessions share.
    """

    settings: Settings
    plan: SessionPlan
    session: date
    book: Book
    market: Market
    engine: Engine
    market_was_given: bool = False

    @classmethod
    def open(
        cls,
        plan: SessionPlan,
        settings: Settings | None = None,
        market: Market | None = None,
        engine: Engine | None = None,
    ) -> BookRun:
        """Connect, open the book when it is new, and load the market unless it is given."""
        active = settings or load_settings()
        session = plan.session
        connection = engine or active.engine()
        source = plan.source_name
        check_brokers(source, active)
        book = open_book(plan, active, connection, session)
        if market is None:
            loaded = session_market(market_store(active, connection), source, active, session)
        else:
            loaded = with_model_scores(market, active, connection)
        return cls(active, plan, session, book, loaded, connection, market is not None)

    @property
    def state(self) -> StateStore:
        """Stages, decisions, portfolios and risk states."""
        return StateStore(self.engine)

    @property
    def orders(self) -> OrderStore:
        """Intents, orders and fills."""
        return OrderStore(self.engine)

    @property
    def input(self) -> SessionInput:
        """The same bundle the backtest runs on."""
        return session_input(self.settings, self.market, self.book.name)

    @property
    def decision_config(self) -> DecisionConfig:
        """Configuration of the decision; only simulated books take approvals from it."""
        config = self.settings.configuration.decision
        if self.book.kind in (BookKind.DEMO, BookKind.BACKTEST):
            return config
        return config.model_copy(update={"risk": config.risk.model_copy(update={"simulated_approval": False})})

    @property
    def view(self) -> MarketView:
        """Market data as known at the decision time."""
        return self.market.view(self.settings.configuration.universe, self.session)

    @property
    def kill_switch(self) -> KillSwitch:
        """The kill switch of this installation."""
        return kill_switch(self.settings.folders)

    def portfolio(self) -> Portfolio:
        """Return the settled portfolio of the session; `InputError` when it was not settled yet."""
        portfolio = self.state.portfolio(self.book.name, self.session)
        if portfolio is None:
            raise InputError(
                f"session {self.session} of book {self.book.name} is not settled", "run the settle task first"
            )
        return portfolio

    def assessment(self) -> RiskAssessment:
        """Return the stored risk assessment of the session; `InputError` when risk was not assessed yet."""
        record = self.stage("risk")
        state = self.state.risk_state(self.book.name, self.session)
        if state is None:
            raise InputError(
                f"the risk state of session {self.session} of book {self.book.name} is missing", "run task risk again"
            )
        return assessment_from(record, state, self.state.risk_events(self.book.name, self.session))

    def stage(self, name: str) -> dict[str, Any]:
        """Return what an earlier stage of this session stored; `InputError` when it did not run."""
        record = self.state.stage(self.book.name, self.session, name)
        if record is None:
            raise InputError(
                f"stage {name} of session {self.session} of book {self.book.name} did not run", f"run task {name} first"
            )
        return record


def open_book(plan: SessionPlan, settings: Settings, engine: Engine, session: date) -> Book:
    """Return the plan's book, opened at ``session`` when it is new; a book keeps the source it was opened with."""
    store, name = BookStore(engine), checked_book(plan.book, plan.source_name)
    if name.endswith(SHADOW_SUFFIX):
        raise InputError(
            f"book {name!r} would only hold what orders of another book were not sent for", "choose another name"
        )
    refuse_tryouts(name, _kind(name), settings)
    book = store.find(name) or _opened(store, name, plan, settings, session)
    if book.data_source != plan.source_name:
        raise InputError(
            f"book {name} trades on {book.data_source}, this run brings {plan.source_name}",
            "name another book with --book",
        )
    return book


def _opened(store: BookStore, name: str, plan: SessionPlan, settings: Settings, session: date) -> Book:
    book = Book(
        name=name,
        kind=_kind(name),
        data_source=plan.source_name,
        data_folder=plan.data,
        opened_session=session,
        initial_cash=settings.configuration.initial_cash,
        config_hash=settings.configuration.config_hash,
        created_at=settings.clock(),
    )
    try:
        return store.open_book(book)
    except InputError:
        # Another session, started at the same moment, may have opened it just now; then its opening stands.
        stored = store.find(name)
        if stored is None:
            raise
        return stored


def _kind(name: str) -> BookKind:
    for kind in (BookKind.DEMO, BookKind.BACKTEST, BookKind.LIVE):
        if name.startswith(kind.value):
            return kind
    return BookKind.PAPER

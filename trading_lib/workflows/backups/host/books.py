"""The books of a restored database: rebuilt from its fills, valued again, and with what its broker may know more of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.books import Book
from trading_lib.domain.book.orders import OPEN_STATUSES, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.errors import TradingError
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.tasks import reconcile


@dataclass(frozen=True)
class CheckedBook:
    """A restored book.

    Attributes
    ----------
    session
        Its newest settled one, "" when it never had one.
    unfinished
        Orders that were not sent yet, or wait at the broker: what became of them since the backup is unknown here.
    problem
        One line; "" when holdings and cash follow from the fills, and the value from the holdings.
    """

    name: str
    kind: str
    session: str
    nav: str
    unfinished: int
    problem: str

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "book": self.name,
            "kind": self.kind,
            "session": self.session,
            "nav": self.nav,
            "unfinished_orders": self.unfinished,
            "reconciled": not self.problem,
            "problem": self.problem,
            "armed": False,
        }


def check_books(settings: Settings, engine: Engine) -> list[CheckedBook]:
    """Reconcile every book of a database; none of them stops the others."""
    return [_checked(book, settings, engine) for book in BookStore(engine).books()]


def _checked(book: Book, settings: Settings, engine: Engine) -> CheckedBook:
    portfolio = StateStore(engine).latest_portfolio(book.name)
    waiting = (OrderStatus.INTENDED, *OPEN_STATUSES)
    unfinished = len(OrderStore(engine).orders(book.name, statuses=waiting))
    if portfolio is None:
        return CheckedBook(book.name, str(book.kind), "", "", unfinished, "")
    problem = value_problem(portfolio) or _reconciled(book, portfolio, settings, engine)
    session, nav = portfolio.session.isoformat(), str(portfolio.nav)
    return CheckedBook(book.name, str(book.kind), session, nav, unfinished, problem)


def value_problem(portfolio: Portfolio) -> str:
    """Say where the stored value is not cash plus holdings at their marks; "" when it is."""
    held = sum((one.quantity * portfolio.marks[name] for name, one in portfolio.positions.items()), Decimal(0))
    open_profit = sum((one.unrealised for one in portfolio.perpetuals.values()), Decimal(0))
    counted = portfolio.cash + to_cent(held) + to_cent(open_profit)
    return "" if counted == portfolio.nav else f"value {portfolio.nav} stored, {counted} from cash and holdings"


def _reconciled(book: Book, portfolio: Portfolio, settings: Settings, engine: Engine) -> str:
    plan = SessionPlan(
        session=portfolio.session,
        source=book.data_source.partition(":")[0],
        source_name=book.data_source,
        data=book.data_folder,
        book=book.name,
    )
    try:
        reconcile(plan, BookRun.open(plan, settings, engine=engine))
    except TradingError as error:
        return str(error)
    return ""

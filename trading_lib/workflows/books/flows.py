"""Capital of a book: recorded by the operator, booked when the session it counts from is settled."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.flow_store import FlowStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.accounts import CURRENCY, Accounts
from trading_lib.domain.book.flows import Flow, RecordedFlow, flow_amount
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.instruments import Universe
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.trade.book_run import BookRun

LOG = logging.getLogger(__name__)
Result = dict[str, Any]
NOTHING = Decimal(0)


@logged("capital flow")
def record_flow(
    book: str,
    session: date,
    amount: str,
    source: str | None,
    target: str | None,
    recorded_by: str,
    note: str = "",
    reference: str | None = None,
    currency: str = CURRENCY,
    dry_run: bool = False,
    settings: Settings | None = None,
) -> Result:
    """Record that capital comes, goes or moves at the opening of a session; the settlement of that session books it.

    Parameters
    ----------
    source, target
        Accounts; see `Flow`.
    reference
        The same one again records nothing; by default it is made of what is recorded.
    dry_run
        Check everything and store nothing.

    Raises
    ------
    InputError
        When book or account do not exist, the amount or currency is none, the session is over for the book, another
        flow has the reference, or more would leave an account than there is.
    """
    active = settings or load_settings()
    if currency.upper() != CURRENCY:
        raise InputError(f"the accounts of book {book} are kept in {CURRENCY}, not in {currency}", f"give {CURRENCY}")
    accounts = active.configuration.accounts
    for name in filter(None, (source, target)):
        accounts.named(name)
    flow = Flow(session, flow_amount(amount), source, target)
    active.calendar.position(session)
    engine = active.engine()
    opened = BookStore(engine).book(book).opened_session
    record = RecordedFlow(book, reference or _reference(flow), flow, recorded_by, note, active.clock())
    with OrderStore(engine).book_lock(book):
        store, state = FlowStore(engine), StateStore(engine)
        history = store.history(book)
        if _is_recorded(record, history):
            return _result(record, state.latest_portfolio(book), recorded=False)
        _refuse_past(record, max(state.newest_session(book) or opened, opened), OrderStore(engine))
        portfolio = state.latest_portfolio(book)
        if portfolio is not None and flow.source is not None:
            _refuse_overdraft(record, history, portfolio, active)
        if not dry_run:
            store.add(record)
    return _result(record, portfolio, recorded=not dry_run)


def flows_due(run: BookRun, settled: date) -> tuple[Flow, ...]:
    """Return the flows of the sessions to settle: after ``settled``, up to the run's."""
    history = FlowStore(run.engine).history(run.book.name)
    due = tuple(record.flow for record in history if settled < record.flow.session <= run.session)
    for flow in due:
        LOG.info("session %s of book %s begins with a %s", flow.session, run.book.name, flow.describe())
    return due


def flows_until(run: BookRun) -> tuple[Flow, ...]:
    """Return every flow booked up to the run's session."""
    return tuple(
        entry.flow for entry in FlowStore(run.engine).history(run.book.name) if entry.flow.session <= run.session
    )


def flows_listing(book: str, settings: Settings | None = None) -> Result:
    """List the flows of a book, booked or waiting, with totals of what was booked."""
    active = settings or load_settings()
    engine = active.engine()
    BookStore(engine).book(book)
    newest = StateStore(engine).latest_portfolio(book)
    flows = [
        _entry(record) | {"booked": newest is not None and record.flow.session <= newest.session}
        for record in FlowStore(engine).history(book)
    ]
    return {"book": book, "flows": flows, **capital_record(newest)}


def capital_record(portfolio: Portfolio | None) -> Result:
    """Say what came to a book and left it, apart from what it earned."""
    return {
        "deposits": str(portfolio.deposits if portfolio else NOTHING),
        "withdrawals": str(portfolio.withdrawals if portfolio else NOTHING),
    }


def withdrawable(
    portfolio: Portfolio, account: str, accounts: Accounts, universe: Universe, buffer: Decimal
) -> Decimal:
    """Cash that may leave an account: all but the buffer's share of what the account is worth."""
    cash = accounts.cash_of(portfolio)[account]
    held = sum(
        (
            position.quantity * portfolio.marks[symbol]
            for symbol, position in portfolio.positions.items()
            if accounts.of_class(universe[symbol].asset_class).name == account
        ),
        NOTHING,
    )
    return cash - to_cent(buffer * (cash + held))


def _reference(flow: Flow) -> str:
    sides = "-".join(filter(None, (flow.source, flow.target)))
    return f"{flow.kind}-{flow.session:%Y%m%d}-{sides}-{flow.amount}"


def _is_recorded(record: RecordedFlow, history: list[RecordedFlow]) -> bool:
    recorded = next((entry for entry in history if entry.reference == record.reference), None)
    if recorded is not None and not recorded.same_as(record):
        raise InputError(
            f"reference {record.reference} of book {record.book} stands for a {recorded.flow.describe()} of session "
            f"{recorded.flow.session}",
            "choose another --reference",
        )
    return recorded is not None


def _refuse_past(record: RecordedFlow, newest: date, orders: OrderStore) -> None:
    # A settlement that was interrupted has stored fills and no portfolio yet.
    newest = max([newest, *(fill.session for fill in orders.fills(record.book))])
    if record.flow.session <= newest:
        raise InputError(
            f"session {record.flow.session} is over for book {record.book}, which has come to session {newest}",
            "date it in a later session",
        )


def _refuse_overdraft(
    record: RecordedFlow, history: list[RecordedFlow], portfolio: Portfolio, settings: Settings
) -> None:
    """Refuse what an account has not got by then, as far as it is known now; deposits on the way count."""
    configuration, account = settings.configuration, str(record.flow.source)
    buffer = Decimal(repr(configuration.decision.orders.cash_buffer))
    free = withdrawable(portfolio, account, configuration.accounts, configuration.universe, buffer)
    waiting = (entry.flow for entry in history if portfolio.session < entry.flow.session)
    for flow in waiting:
        # What leaves later was promised before.
        moved = dict(flow.sides()).get(account, NOTHING)
        free += moved if moved < 0 or flow.session <= record.flow.session else NOTHING
    if record.flow.amount > free:
        raise InputError(
            f"${record.flow.amount:,.2f} cannot leave account {account} of book {record.book}",
            f"${max(free, NOTHING):,.2f} can: its cash less the buffer of {buffer:.0%} and what is to leave it already",
        )


def _entry(record: RecordedFlow) -> Result:
    flow = record.flow
    return {
        "reference": record.reference,
        "kind": str(flow.kind),
        "session": flow.session.isoformat(),
        "amount": str(flow.amount),
        "source": flow.source,
        "target": flow.target,
        "recorded_by": record.recorded_by,
        "note": record.note,
        "recorded_at": record.recorded_at.isoformat(),
    }


def _result(record: RecordedFlow, portfolio: Portfolio | None, recorded: bool) -> Result:
    cash = str(portfolio.cash) if portfolio else None
    return {"book": record.book, **_entry(record), "cash": cash, "recorded": recorded}

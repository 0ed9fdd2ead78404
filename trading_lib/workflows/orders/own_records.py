"""A book's own records of one account, gathered for the comparison with its broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import OPEN_STATUSES, Fill, OrderPurpose
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.money import exact_price
from trading_lib.execution.fees import SUFFIX
from trading_lib.execution.reconciliation.amounts import movement
from trading_lib.execution.reconciliation.book_side import BookSide, Dividend, OwnOrder
from trading_lib.execution.reconciliation.breaks import (
    TRADES,
    BreakKind,
    BreakStatus,
    known_difference,
    trade_id_of,
)
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot

if TYPE_CHECKING:
    from trading_lib.adapters.stores.orders.break_store import StoredBreak
    from trading_lib.workflows.trade.broker_access import AtBrokers

NOTHING = Decimal(0)
# Brokers pay dividends up to some weeks after the ex-date, and book splits and transfers some days late.
DIVIDEND_DAYS, LATE_DAYS = 60, 14


def flow_reference(number: int) -> str:
    """Return the reference of the flow that a break was settled by."""
    return f"break-{number}"


def own_side(at: AtBrokers, account: Account, broker: str, snapshot: BrokerSnapshot) -> BookSide:
    """Gather what the book has of an account.

    Parameters
    ----------
    broker
        Name under which its fills are stored.
    snapshot
        Of the account; only orders that it names, or that are open here, are of interest.
    """
    from trading_lib.adapters.stores.books.flow_store import FlowStore

    book, engine = at.book.name, at.engine
    portfolio = newest_portfolio(at)
    recorded = FlowStore(engine).history(book)
    placed = _placed(at)
    fills = tuple(fill for fill, where in placed if fill.broker == broker and where == account.name)
    units, cash = _moved(at, account, placed, portfolio.session)
    accepted = _accepted(at, account)
    settled_by_flow = {record.reference for record in recorded}
    booked = {fill.trade_id for fill in fills}
    standing = [one for one in accepted if not _is_booked(one, settled_by_flow, booked)]
    known = [known_difference(one.number, one.kind, one.symbol, one.ours, one.broker) for one in standing]
    late = portfolio.session - timedelta(days=LATE_DAYS)
    first = _first_movements(at, account, snapshot)
    traded = {fill.symbol for fill in fills}
    dividends, splits = _actions(at, portfolio, snapshot, traded, first[0] if first else None)
    return BookSide(
        name=book,
        account=account.name,
        session=portfolio.session,
        cash=at.settings.configuration.accounts.cash_of(portfolio)[account.name] + cash,
        positions=_positions(at, account, portfolio, units),
        orders=_orders(at, account, snapshot),
        fills=fills,
        splits=splits,
        dividends=tuple(one for one in dividends if _is_here(at, account, one.symbol)),
        flows=tuple(record.flow for record in recorded if record.flow.session >= late),
        proceeds=_proceeds(at, late, portfolio.session),
        known=tuple(one for one in known if one is not None),
        left_out=frozenset(trade_id_of(one.broker) for one in standing if one.kind in TRADES),
        begins=beginning(at),
        before=first[1] if first else frozenset(),
    )


def beginning(at: AtBrokers) -> datetime:
    """Return when the book began: at the opening of its first session."""
    return at.settings.calendar.open(at.book.opened_session)


def _first_movements(
    at: AtBrokers, account: Account, snapshot: BrokerSnapshot
) -> tuple[datetime, frozenset[str]] | None:
    """When the account's movements were first read, and those of then: of a first comparison, all that it has."""
    from trading_lib.adapters.stores.orders.snapshot_store import SnapshotStore

    if snapshot.movements is None:
        return None
    stored = SnapshotStore(at.engine).first_movements(at.book.name, account.name)
    return stored or (snapshot.taken_at, frozenset(one.movement_id for one in snapshot.movements))


def newest_portfolio(at: AtBrokers) -> Portfolio:
    """Return the book's newest portfolio; of a book that was never settled, its opening."""
    from trading_lib.adapters.stores.books.state_store import StateStore

    stored = StateStore(at.engine).latest_portfolio(at.book.name)
    if stored is not None:
        return stored
    cash = at.book.initial_cash
    shared = at.settings.configuration.accounts.opening_cash(cash)
    return Portfolio.opened(at.book.opened_session, cash, shared)


def _accepted(at: AtBrokers, account: Account) -> list[StoredBreak]:
    from trading_lib.adapters.stores.orders.break_store import BreakStore

    return BreakStore(at.engine).breaks(at.book.name, account.name, [BreakStatus.ACCEPTED])


def _is_booked(one: StoredBreak, references: Iterable[str], trades: Iterable[str]) -> bool:
    """Whether an accepted break made its way into the book, so that it is no difference any more."""
    if one.kind is BreakKind.TRANSFER:
        return flow_reference(one.number) in references
    if one.kind in (BreakKind.MANUAL_TRADE, BreakKind.LIQUIDATION):
        return trade_id_of(one.broker) in trades
    return False


def _is_here(at: AtBrokers, account: Account, symbol: str) -> bool:
    return at.settings.configuration.universe.traded(symbol)[0].asset_class in account.asset_classes


def _placed(at: AtBrokers) -> list[tuple[Fill, str]]:
    """Return every stored fill with the account that it was made in; a fee's is that of its fill."""
    from trading_lib.adapters.stores.orders.order_history import OrderHistory

    fills = at.orders.fills(at.book.name)
    accounts = OrderHistory(at.engine).accounts(at.book.name)
    orders = {(fill.broker, fill.trade_id): fill.client_order_id for fill in fills}
    found = []
    for fill in fills:
        parent = orders.get((fill.broker, fill.trade_id.removesuffix(SUFFIX)), fill.client_order_id)
        found.append((fill, accounts.get(parent) or _home(at, fill.symbol)))
    return found


def _home(at: AtBrokers, symbol: str) -> str:
    configuration = at.settings.configuration
    return configuration.accounts.of_class(configuration.universe.traded(symbol)[0].asset_class).name


def _moved(
    at: AtBrokers, account: Account, placed: Sequence[tuple[Fill, str]], session: date
) -> tuple[Mapping[str, Decimal], Decimal]:
    """Units and dollars of the account by fills that were routed to another one than that which their book has."""
    units: dict[str, Decimal] = {}
    cash = NOTHING
    for fill, where in placed:
        home = _home(at, fill.symbol)
        if fill.session > session or where == home or account.name not in (where, home):
            continue
        sign = 1 if where == account.name else -1
        gained, paid = movement(fill)
        units[fill.symbol] = units.get(fill.symbol, NOTHING) + sign * gained
        cash += sign * paid
    return units, cash


def _positions(
    at: AtBrokers, account: Account, portfolio: Portfolio, moved: Mapping[str, Decimal]
) -> Mapping[str, Decimal]:
    """Units held, with the parts below a millionth that a broker left when it kept its fee in units."""
    held = {symbol: position.quantity for symbol, position in portfolio.positions.items()}
    held |= {symbol: position.quantity for symbol, position in portfolio.perpetuals.items()}
    units = {symbol: quantity for symbol, quantity in held.items() if _is_here(at, account, symbol)}
    for symbol, rest in _rests(at).items():
        if _is_here(at, account, symbol):
            units[symbol] = units.get(symbol, NOTHING) + rest
    for symbol, gained in moved.items():
        units[symbol] = units.get(symbol, NOTHING) + gained
    return units


def _rests(at: AtBrokers) -> Mapping[str, Decimal]:
    """Return what fees in units were booked above their exact amount, by symbol."""
    from trading_lib.adapters.stores.orders.order_history import OrderHistory

    found = OrderHistory(at.engine).orders(at.book.name, purpose=OrderPurpose.FEE)
    rests: dict[str, Decimal] = {}
    for stored in found:
        if stored.filled:
            rest = stored.filled - stored.order.quantity
            rests[stored.order.symbol] = rests.get(stored.order.symbol, NOTHING) + rest
    return rests


def _orders(at: AtBrokers, account: Account, snapshot: BrokerSnapshot) -> tuple[OwnOrder, ...]:
    from trading_lib.adapters.stores.orders.order_history import OrderHistory

    history, book = OrderHistory(at.engine), at.book.name
    named = {order.client_order_id for order in snapshot.orders}
    named |= {fill.client_order_id for fill in snapshot.fills}
    found = [*history.orders(book, identities=named), *history.orders(book, statuses=OPEN_STATUSES)]
    by_id = {stored.order.client_order_id: stored for stored in found}
    return tuple(
        OwnOrder(stored.order, stored.status, stored.filled, stored.broker_order_id or "")
        for identity, stored in by_id.items()
        if (stored.account or _home(at, stored.order.symbol)) == account.name or identity in named
    )


def _actions(
    at: AtBrokers, portfolio: Portfolio, snapshot: BrokerSnapshot, traded: Iterable[str], moved: datetime | None
) -> tuple[list[Dividend], Mapping[str, Decimal]]:
    """Read dividends booked lately, and splits around the newest session, from the stored bars.

    Parameters
    ----------
    traded
        What the book has traded in the account: dividends of a holding that is sold are paid, too.
    moved
        When movements of the account were first read: dividends are matched with them since then. None where it does
        not tell of them.
    """
    from trading_lib.workflows.data.sources import market_store

    concerned = {*portfolio.positions, *snapshot.positions, *(order.symbol for order in snapshot.open_orders)}
    concerned |= set(traded)
    symbols = sorted(concerned & set(at.settings.configuration.universe.symbols))
    if not symbols:
        return [], {}
    newest = portfolio.session if moved is None else min(portfolio.session, moved.date() - timedelta(days=LATE_DAYS))
    first = newest - timedelta(days=DIVIDEND_DAYS)
    store = market_store(at.settings, at.engine)
    bars = store.read_bars(at.book.data_source, at.settings.clock(), symbols, first).frame
    splits: dict[str, Decimal] = {}
    late = portfolio.session - timedelta(days=LATE_DAYS)
    for symbol, day, ratio in _events(bars, "split", 1.0):
        if day >= late:
            splits[symbol] = splits.get(symbol, Decimal(1)) * Decimal(repr(ratio))
    paid = [(s, day, amount) for s, day, amount in _events(bars, "dividend", 0.0) if day <= portfolio.session]
    return _dividends(at, paid), splits


def _events(bars: Any, column: str, nothing: float) -> list[tuple[str, date, float]]:
    rows = bars[bars[column].notna() & (bars[column] != nothing)]
    days = [value.date() if hasattr(value, "date") else value for value in rows["date"]]
    return list(zip(rows["symbol"].tolist(), days, rows[column].astype(float).tolist(), strict=True))


def _dividends(at: AtBrokers, paid: Sequence[tuple[str, date, float]]) -> list[Dividend]:
    """Return what the book was credited: on the units that it held at the close before the ex-date."""
    from trading_lib.adapters.stores.books.state_store import StateStore

    state = StateStore(at.engine)
    before: dict[date, Portfolio | None] = {}
    found = []
    for symbol, day, amount in paid:
        if day not in before:
            before[day] = state.latest_portfolio(at.book.name, day)
        then = before[day]
        if then is None or symbol not in then.positions or day <= at.book.opened_session:
            continue
        units, per_share = then.positions[symbol].quantity, exact_price(amount)
        if credited := to_cent(units * per_share):
            found.append(Dividend(symbol, day, per_share, units, credited))
    return found


def _proceeds(at: AtBrokers, first: date, last: date) -> Mapping[str, tuple[Decimal, Decimal]]:
    """Units and dollars of holdings that recorded proceeds closed lately."""
    from trading_lib.adapters.stores.books.proceeds_store import ProceedsStore
    from trading_lib.adapters.stores.books.state_store import StateStore
    from trading_lib.workflows.books.proceeds import closings_of

    days = {one.books_on for one in ProceedsStore(at.engine).history(at.book.name)}
    state = StateStore(at.engine)
    closed = [one for day in sorted(days) if first <= day <= last for one in closings_of(state, at.book.name, day)]
    return {one["symbol"]: (Decimal(one["quantity"]), Decimal(one["proceeds"])) for one in closed}

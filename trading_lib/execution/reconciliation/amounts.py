"""Fills, positions and cash of a book against its broker's, item by item until nothing is left to explain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations

from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.execution.broker import Bust, Execution
from trading_lib.execution.fees import SUFFIX
from trading_lib.execution.reconciliation.book_side import BookSide, Dividend
from trading_lib.execution.reconciliation.breaks import (
    NOTHING,
    Break,
    BreakKind,
    BreakStatus,
    signed_value,
    trade_text,
)
from trading_lib.execution.reconciliation.cash import CashItem, cash_breaks
from trading_lib.execution.reconciliation.movements import (
    PAID_WITHIN,
    Evidence,
    certain_items,
    evidence_of,
    unexplained_words,
)
from trading_lib.execution.reconciliation.rounding import rounded_away
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot

# How brokers mark what they sold themselves, in ids and words.
LIQUIDATION_MARKS = ("liquidat", "autoclose", "margin call", "margin_call")
# More accepted differences of one symbol than this at once are looked at anew.
MOST_TOGETHER = 3


@dataclass
class Expected:
    """What the broker should have: the book's amounts, and what each explained item adds to them."""

    units: dict[str, Decimal]
    cash: Decimal
    # Symbol -> units of fills that are not listed: positions may have them or not, and cash cannot be compared.
    unlisted: dict[str, Decimal] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)

    def move(self, symbol: str, units: Decimal, cash: Decimal) -> None:
        """Add an item."""
        self.units[symbol] = self.units.get(symbol, NOTHING) + units
        self.cash += cash


def amount_breaks(snapshot: BrokerSnapshot, book: BookSide) -> list[Break]:
    """Compare fills, then positions, then cash; each with what the ones before have explained."""
    expected = Expected(dict(book.positions), book.cash)
    stored = {fill.trade_id: fill for fill in book.fills}
    _busts(snapshot, book, stored, expected)
    struck = {bust.trade_id for bust in snapshot.busts}
    own_ids = {own.order.client_order_id for own in book.orders}
    told = [
        fill
        for fill in snapshot.fills
        if fill.trade_id not in struck and (fill.client_order_id in own_ids or not book.is_earlier(fill.filled_at))
    ]
    for execution in told:
        if execution.trade_id in stored:
            _told_again(execution, stored, expected)
        elif execution.client_order_id not in own_ids and execution.trade_id not in book.left_out:
            _foreign(execution, expected)
    ours = [fill for fill in told if fill.trade_id not in stored and fill.client_order_id in own_ids]
    waiting = [fill for fill in book.fills if fill.session > book.session and fill.trade_id not in struck]
    _unbooked([*ours, *waiting], expected)
    counted: list[Execution | Fill] = [fill for fill in book.fills if fill.trade_id not in struck]
    counted += ours
    _unlisted(snapshot, book, counted, expected)
    _positions(snapshot, book, expected)
    foreign = [fill for fill in told if fill.trade_id not in stored and fill.client_order_id not in own_ids]
    paid_otherwise = {one.trade_id for one in snapshot.movements or () if one.trade_id}
    _cash(snapshot, book, expected, rounded_away([*counted, *foreign], paid_otherwise))
    return expected.breaks


def movement(fill: Execution | Fill) -> tuple[Decimal, Decimal]:
    """Units and dollars that an account gains by a fill. A fee that was kept in units costs no dollars."""
    kept = fill.fee_quantity if isinstance(fill, Execution) else NOTHING
    units = fill.quantity if fill.side is Side.BUY else -fill.quantity
    paid = NOTHING if kept else to_cent(fill.commission)
    return units - kept, -signed_value(units, fill.price) - paid


def _busts(snapshot: BrokerSnapshot, book: BookSide, stored: Mapping[str, Fill], expected: Expected) -> None:
    for bust in snapshot.busts:
        fill = stored.get(bust.trade_id)
        if fill is None or fill.session > book.session:
            # It is struck before it is booked.
            continue
        units, cash = movement(fill)
        expected.move(fill.symbol, -units, -cash)
        expected.breaks.append(bust_break(fill, bust))


def bust_break(fill: Fill, bust: Bust) -> Break:
    """Return the break of a fill that is booked, and that its broker has struck."""
    why = f"the broker has struck a fill that is booked{f': {bust.reason}' if bust.reason else ''}"
    return Break(BreakKind.BUST, fill.symbol, trade_text(fill), "struck", why)


def _told_again(execution: Execution, stored: Mapping[str, Fill], expected: Expected) -> None:
    """Compare a fill that is stored with what the broker says of it now."""
    fill = stored[execution.trade_id]
    same = (fill.symbol, fill.side, fill.quantity, fill.price)
    if same != (execution.symbol, execution.side, execution.quantity, execution.price):
        before, now = movement(fill), movement(execution)
        expected.move(fill.symbol, -before[0], -before[1])
        expected.move(execution.symbol, *now)
        why = f"the broker says otherwise of trade {execution.trade_id} than when it was stored"
        expected.breaks.append(Break(BreakKind.FILL_DIFFERS, fill.symbol, trade_text(fill), trade_text(execution), why))
    elif execution.fee_quantity:
        if execution.trade_id + SUFFIX not in stored:
            expected.move(fill.symbol, -execution.fee_quantity, to_cent(fill.commission))
            why = f"the broker kept {execution.fee_quantity:f} units as the fee of trade {execution.trade_id}"
            expected.breaks.append(
                Break(BreakKind.FEE, fill.symbol, "0", f"{execution.fee_quantity:f}", why, BreakStatus.EXPLAINED)
            )
    elif to_cent(fill.commission) != to_cent(execution.commission):
        expected.move(fill.symbol, NOTHING, to_cent(fill.commission) - to_cent(execution.commission))
        why = f"the fee of trade {execution.trade_id} differs from what was stored"
        ours, theirs = f"{fill.commission:f}", f"{execution.commission:f}"
        expected.breaks.append(Break(BreakKind.FEE, fill.symbol, ours, theirs, why, BreakStatus.EXPLAINED))


def _foreign(execution: Execution, expected: Expected) -> None:
    expected.move(execution.symbol, *movement(execution))
    expected.breaks.append(foreign_break(execution))


def foreign_break(execution: Execution) -> Break:
    """Return the break of a trade in the account that is not of an order of the book."""
    words = f"{execution.client_order_id} {execution.raw}".lower()
    forced = execution.side is Side.SELL and any(mark in words for mark in LIQUIDATION_MARKS)
    kind = BreakKind.LIQUIDATION if forced else BreakKind.MANUAL_TRADE
    by = "the broker sold it" if forced else "traded by hand or by another program"
    name = f"order {execution.client_order_id}" if execution.client_order_id else "its order"
    why = f"{by}: {name} was not sent by this book"
    return Break(kind, execution.symbol, "no such trade", trade_text(execution), why)


def _unbooked(fills: Sequence[Execution | Fill], expected: Expected) -> None:
    """Add fills of our orders that the next settlement books."""
    by_order: dict[str, list[Execution | Fill]] = defaultdict(list)
    for fill in fills:
        by_order[fill.client_order_id].append(fill)
        expected.move(fill.symbol, *movement(fill))
    for identity, of_order in sorted(by_order.items()):
        units = sum((fill.quantity for fill in of_order), NOTHING)
        many = f" in {len(of_order)} fills" if len(of_order) > 1 else ""
        why = f"{of_order[0].side} {units:f}{many} of order {identity}: the next settlement books it"
        symbol = of_order[0].symbol
        expected.breaks.append(Break(BreakKind.UNBOOKED_FILL, symbol, "0", f"{units:f}", why, BreakStatus.EXPLAINED))


def _unlisted(
    snapshot: BrokerSnapshot, book: BookSide, counted: Sequence[Execution | Fill], expected: Expected
) -> None:
    """Compare what the broker calls filled of each of our orders with its fills."""
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for fill in counted:
        filled[fill.client_order_id] += fill.quantity
    own_ids = {own.order.client_order_id for own in book.orders}
    for order in snapshot.orders:
        missing = order.filled - filled[order.client_order_id]
        if order.client_order_id not in own_ids or not missing:
            continue
        signed = missing if order.side is Side.BUY else -missing
        expected.unlisted[order.symbol] = expected.unlisted.get(order.symbol, NOTHING) + signed
        why = (
            f"{order.filled:f} of order {order.client_order_id} are filled at the broker, and its fills add up to"
            f" {filled[order.client_order_id]:f}; cash cannot be compared until they agree"
        )
        ours, theirs = f"{filled[order.client_order_id]:f}", f"{order.filled:f}"
        expected.breaks.append(Break(BreakKind.UNLISTED_FILL, order.symbol, ours, theirs, why))


def _positions(snapshot: BrokerSnapshot, book: BookSide, expected: Expected) -> None:
    for symbol in sorted(expected.units.keys() | snapshot.positions.keys()):
        ours = expected.units.get(symbol, NOTHING)
        theirs = snapshot.positions.get(symbol, NOTHING)
        known = [one.units.get(symbol, NOTHING) for one in book.known]
        # Either is consistent with a fill that is not listed yet, whose break is open.
        differences = {theirs - ours, theirs - ours - expected.unlisted.get(symbol, NOTHING)}
        if any(not difference or _is_known(difference, known) for difference in differences):
            continue
        expected.breaks.append(_position_break(symbol, ours, theirs, book, expected))


def _position_break(symbol: str, ours: Decimal, theirs: Decimal, book: BookSide, expected: Expected) -> Break:
    texts = f"{ours:f}", f"{theirs:f}"
    ratio = book.splits.get(symbol)
    if ratio is not None and theirs in (ours * ratio, ours / ratio):
        late = "here" if theirs == ours * ratio else "at the broker"
        why = f"the split {ratio:f}:1 is not yet booked {late}"
        return Break(BreakKind.SPLIT, symbol, *texts, why, BreakStatus.EXPLAINED)
    sold = book.proceeds.get(symbol)
    if sold is not None and not ours and theirs == sold[0]:
        expected.cash -= sold[1]
        why = f"closed here by recorded proceeds of {sold[1]:f}; the broker still shows the holding"
        return Break(BreakKind.PROCEEDS, symbol, *texts, why, BreakStatus.EXPLAINED)
    return Break(BreakKind.POSITION, symbol, *texts, _hint(symbol, ours, theirs))


def _hint(symbol: str, ours: Decimal, theirs: Decimal) -> str:
    if ours and theirs and (theirs % ours == 0 or ours % theirs == 0):
        ratio = theirs / ours
        return f"no trade explains it; {ratio:.6g} times our units looks like a split that no data tells of yet"
    held = "the book holds none of it" if not ours else "no trade of this account explains it"
    return f"{held}: look for trades, transfers of {symbol} and corporate actions in the broker's own statements"


def _is_known(difference: Decimal, accepted: Sequence[Decimal]) -> bool:
    """Whether accepted differences add up to this one."""
    amounts = [amount for amount in accepted if amount]
    return sum(amounts, NOTHING) == difference or any(
        sum(some, NOTHING) == difference
        for count in range(1, min(len(amounts), MOST_TOGETHER) + 1)
        for some in combinations(amounts, count)
    )


def _cash(snapshot: BrokerSnapshot, book: BookSide, expected: Expected, rounded: Decimal) -> None:
    if expected.unlisted:
        # The break of that fill is open, which halts until cash is compared again.
        return
    theirs = to_cent(snapshot.account.cash)
    traded = any(one.status is BreakStatus.OPEN for one in expected.breaks)
    evidence = evidence_of(snapshot, book)
    certain = [] if snapshot.movements is None else _certain(evidence, book)
    words = unexplained_words(evidence, book)
    # A broker that tells parts of a cent has rounded nothing; of another it is not known.
    bases = [expected.cash, to_cent(expected.cash + rounded)]
    if snapshot.account.cash != theirs:
        bases.reverse()
    found = [
        list(cash_breaks(base + to_cent(evidence.cash), theirs, _items(book), traded, certain, words))
        for base in dict.fromkeys(bases)
    ]
    settled = (breaks for breaks in found if all(one.status is not BreakStatus.OPEN for one in breaks))
    expected.breaks += next(settled, found[0])


def _certain(evidence: Evidence, book: BookSide) -> list[CashItem]:
    """Return what the movements prove to be on one side only yet."""
    items = []
    for one, amount in certain_items(evidence, book):
        if isinstance(one, Dividend):
            items.append(_dividend_item(one))
        else:
            items.append(_flow_item(one, amount, book))
    return items


def _items(book: BookSide) -> tuple[list[CashItem], list[CashItem]]:
    """Dividends, the oldest first, and everything else that cash may lack or have already."""
    late = sorted(book.dividends, key=lambda one: (one.session, one.symbol))
    dividends = [_dividend_item(one) for one in late if book.session - one.session <= PAID_WITHIN]
    others = [CashItem(known.kind, "", known.cash, "", accepted=True) for known in book.known if known.cash]
    for flow in book.flows:
        moved = dict(flow.sides()).get(book.account, NOTHING)
        if moved:
            others.append(_flow_item(flow, -moved if flow.session <= book.session else moved, book))
    return dividends, others


def _dividend_item(dividend: Dividend) -> CashItem:
    return CashItem(
        BreakKind.DIVIDEND,
        dividend.symbol,
        -dividend.amount,
        f"dividend of {dividend.per_share:f} on {dividend.units:f} units, ex {dividend.session}: booked here, and"
        " paid by the broker later",
    )


def _flow_item(flow: Flow, amount: Decimal, book: BookSide) -> CashItem:
    booked = flow.session <= book.session
    where = "booked here and not yet at the broker" if booked else f"at the broker, booked here on {flow.session}"
    return CashItem(BreakKind.TRANSFER, "", amount, f"recorded {flow.describe()}: {where}")

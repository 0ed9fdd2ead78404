"""A model of a broker, with a ledger of its own.

What it has taken becomes visible late, fills are listed later than they were traded, answers get lost. Its state is a
function of time: what an order will trade is drawn when it is taken, and a cancellation cuts off what has not traded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from trading_lib.domain.book.orders import Order
from trading_lib.execution.broker import BrokerOrder, BrokerStatus, Bust, Execution, Executions

EPOCH = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
PRICE, NOTHING, TEN = Decimal(100), Decimal(0), Decimal(10)
# Orders are of ten units; what they trade.
WHOLE: tuple[tuple[Decimal, ...], ...] = ((TEN,), (Decimal(4), Decimal(6)), (Decimal(2), Decimal(3), Decimal(5)))
TOO_MUCH: tuple[Decimal, ...] = (Decimal(7), Decimal(4))
PARTS: tuple[tuple[Decimal, ...], ...] = ((), (Decimal(4),), (Decimal(2), Decimal(3)))
# Seconds: nobody sees an order at first, and some views do not for longer.
LONGEST_HIDDEN, LONGEST_BLIND = 60.0, 600.0


class Trade:
    """A fill in the ledger; times in seconds since the beginning."""

    __slots__ = ("at", "counted_at", "execution", "listed_at", "struck_at")

    def __init__(self, execution: Execution, at: float, counted_at: float, listed_at: float) -> None:
        self.execution, self.at = execution, at
        self.counted_at, self.listed_at = counted_at, listed_at
        self.struck_at: float | None = None


class TakenOrder:
    """An order in the ledger."""

    __slots__ = (
        "_last",
        "closed_from",
        "end",
        "ends_at",
        "found_from",
        "is_foreign",
        "listed_from",
        "number",
        "order",
        "taken_at",
        "trades",
        "visible_at",
    )

    def __init__(self, order: Order, number: int, taken_at: float, visible_at: float) -> None:
        self.order, self.number = order, number
        self.taken_at, self.visible_at = taken_at, visible_at
        self.trades: list[Trade] = []
        self.ends_at, self.end = taken_at, BrokerStatus.EXPIRED
        self.is_foreign = False
        # From when on look-ups find it, and lists show it, where that is later than it is visible at all.
        self.found_from = self.listed_from = self.closed_from = visible_at
        self._last: BrokerOrder | None = None

    def filled(self, now: float) -> Decimal:
        """Units that count as filled in what the broker says of the order."""
        total = NOTHING
        for trade in self.trades:
            if trade.counted_at <= now and (trade.struck_at is None or trade.struck_at > now):
                total += trade.execution.quantity
        return total

    def status(self, now: float) -> BrokerStatus:
        """Status at a time."""
        if now >= self.ends_at:
            return self.end
        return BrokerStatus.PARTIALLY_FILLED if self.filled(now) else BrokerStatus.WORKING

    def report(self, now: float) -> BrokerOrder:
        """Return what the broker says of the order."""
        status, filled, last = self.status(now), self.filled(now), self._last
        if last is None or last.status is not status or last.filled != filled:
            order = self.order
            last = BrokerOrder(
                order.client_order_id, str(self.number), order.symbol, order.side, order.quantity, filled, status
            )
            self._last = last
        return last


class ModelBroker:
    """The broker of one history.

    Attributes
    ----------
    refuses_known
        Whether it refuses an id that it knows: "always", "while open", or "never".
    trouble, is_blind
        How often it fails, 1 for often; whether its views often differ for long.
    down
        From when until when it answers nothing, in seconds.
    """

    __slots__ = ("_trades", "down", "is_blind", "random", "refuses_known", "taken", "trouble")

    def __init__(self, random: Random) -> None:
        self.random = random
        draw = random.random()
        self.refuses_known = "never" if draw < 0.4 else "while open" if draw < 0.7 else "always"
        draw = random.random()
        self.trouble = 1.0 if draw < 0.5 else 2.0 if draw < 0.75 else 0.1 if draw < 0.85 else 3.0
        self.is_blind = draw > 0.9
        self.down = (0.0, 0.0)
        if random.random() < 0.15:
            begins = random.random() * 60
            self.down = (begins, begins + random.random() * 900)
        self.taken: list[TakenOrder] = []
        self._trades = 0

    def is_down(self, now: float) -> bool:
        """Whether it answers nothing at a time."""
        return self.down[0] <= now < self.down[1]

    def take(self, order: Order, now: float) -> bool:
        """Take an order that has arrived; False where its id is refused as known."""
        identity = order.client_order_id
        for known in self.taken if self.refuses_known != "never" else ():
            is_open = known.taken_at <= now < known.ends_at
            arrived = known.order.client_order_id == identity and known.taken_at <= now
            if arrived and (is_open or self.refuses_known == "always"):
                return False
        random = self.random
        hidden = random.random() * (LONGEST_HIDDEN if random.random() < 0.35 * self.trouble else 0.5)
        taken = TakenOrder(order, len(self.taken) + 1, now, now + hidden)
        self._plan(taken, now)
        if self.is_blind or random.random() < 0.1 * self.trouble:
            self._blind(taken, taken.visible_at + random.random() * LONGEST_BLIND)
        self.taken.append(taken)
        return True

    def refuse(self, order: Order, now: float) -> None:
        """List an order as rejected."""
        taken = TakenOrder(order, len(self.taken) + 1, now, now + self.random.random() * 5)
        taken.end = BrokerStatus.REJECTED
        self.taken.append(taken)

    def take_foreign(self, order: Order) -> None:
        """Have an order of another installation under the id of ours: more of it, and it never trades."""
        taken = TakenOrder(replace(order, quantity=order.quantity + 1), len(self.taken) + 1, 0.0, 0.0)
        taken.is_foreign, taken.ends_at = True, self.random.random() * 600
        self.taken.append(taken)

    def _plan(self, taken: TakenOrder, now: float) -> None:
        """Draw what it will trade, and when it is over."""
        random = self.random
        draw = random.random()
        at = now + random.random() * (3 if random.random() < 0.5 else 60)
        parts = TOO_MUCH if draw < 0.01 else WHOLE[int(random.random() * 3)]
        taken.end = BrokerStatus.FILLED
        if draw > 0.65:
            parts = PARTS[int(random.random() * 3)]
            taken.end = BrokerStatus.EXPIRED if draw < 0.85 else BrokerStatus.CANCELLED
        for quantity in parts:
            self._trade(taken, quantity, at)
            at += random.random() * 20
        lasts = 400 if self.is_blind else 60
        taken.ends_at = taken.trades[-1].at if taken.end is BrokerStatus.FILLED else at + random.random() * lasts
        if taken.trades and random.random() < 0.08:
            self._strike(taken, taken.ends_at + random.random() * 40)

    def _trade(self, taken: TakenOrder, quantity: Decimal, at: float) -> None:
        random, order = self.random, taken.order
        self._trades += 1
        execution = Execution(
            f"t{self._trades}", order.client_order_id, order.symbol, order.side, quantity, PRICE, NOTHING, EPOCH
        )
        late = random.random() < 0.3 * self.trouble
        counted_at = at + (random.random() * 30 if late and random.random() < 0.5 else 0)
        taken.trades.append(Trade(execution, at, counted_at, at + random.random() * (45 if late else 0.5)))

    def _strike(self, taken: TakenOrder, at: float) -> None:
        trade = taken.trades[0]
        trade.struck_at = at
        if self.random.random() < 0.5:
            # A corrected fill is a bust and another fill.
            self._trade(taken, trade.execution.quantity - 1, at)

    def _blind(self, taken: TakenOrder, until: float) -> None:
        """Let some views be blind to an order for long, and others, one of which must show it, not."""
        draw = self.random.random()
        if draw < 0.3:
            taken.listed_from = until
            return
        taken.found_from = until
        soon = taken.taken_at + LONGEST_HIDDEN
        is_over = taken.end is BrokerStatus.FILLED and taken.ends_at < soon
        if draw < 0.6 and is_over and min(trade.listed_at for trade in taken.trades) < soon:
            # The fills alone tell of it, once it is over.
            taken.closed_from = until

    def cancel(self, client_order_id: str, now: float) -> bool:
        """Cut off what an open order has not traded; False where nothing is open that is visible."""
        cut = False
        for taken in self.taken:
            if taken.order.client_order_id == client_order_id and taken.visible_at <= now < taken.ends_at:
                taken.trades = [trade for trade in taken.trades if trade.at <= now]
                taken.ends_at, taken.end, cut = now, BrokerStatus.CANCELLED, True
        return cut

    def find(self, client_order_id: str, now: float) -> BrokerOrder | None:
        """Return the newest visible order of an id."""
        for taken in reversed(self.taken):
            if taken.found_from <= now and taken.order.client_order_id == client_order_id:
                return taken.report(now)
        return None

    def listed(self, now: float, are_open: bool) -> list[BrokerOrder]:
        """Return the visible orders that are open, or that are over."""
        if are_open:
            return [taken.report(now) for taken in self.taken if taken.listed_from <= now < taken.ends_at]
        return [
            taken.report(now)
            for taken in self.taken
            if taken.listed_from <= now and taken.closed_from <= now and now >= taken.ends_at
        ]

    def fills(self, now: float) -> Executions:
        """Return the listed fills, as they were listed, and what was struck."""
        listed = [
            trade
            for taken in self.taken
            if taken.listed_from <= now
            for trade in taken.trades
            if trade.listed_at <= now
        ]
        listed.sort(key=_listed_at)
        struck = [
            Bust(trade.execution.trade_id, EPOCH)
            for trade in listed
            if trade.struck_at is not None and trade.struck_at <= now
        ]
        return Executions(tuple([trade.execution for trade in listed]), "", tuple(struck))

    def traded(self, now: float) -> Sequence[Trade]:
        """Return what has traded, listed or not."""
        return [trade for taken in self.taken for trade in taken.trades if trade.at <= now]

    def quiet_at(self) -> float:
        """When nothing changes any more, and all is listed."""
        times = [0.0]
        for taken in self.taken:
            times += (taken.found_from, taken.listed_from, taken.closed_from, taken.ends_at)
            for trade in taken.trades:
                times += (trade.listed_at, trade.counted_at, trade.struck_at or 0.0)
        return max(times)


def _listed_at(trade: Trade) -> float:
    return trade.listed_at

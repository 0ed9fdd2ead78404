"""The simulated exchange behind both faces: it books orders, matches them against the market's prices and ends them.

Everything it does is an event of the ledger first; the state is what folding the events gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from heapq import heappop, heappush
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trading_lib.adapters.broker_simulator.ledger import sale_fees
from trading_lib.adapters.broker_simulator.ledger.file import Ledger
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, Account, Execution, Order, iso, parse_time
from trading_lib.adapters.broker_simulator.ledger.state import State
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.market.hours import running_session, turns
from trading_lib.adapters.broker_simulator.market.instruments import FUNDS, PAIRS, Asset, Pair
from trading_lib.adapters.broker_simulator.market.prices import Prices
from trading_lib.domain.market.sessions import NEW_YORK

# (event of the stream, order, execution or None)
Listener = Callable[[str, Order, Execution | None], None]
FeeRule = Callable[[Account, Order, Decimal, Decimal], tuple[Decimal, str]]
WHOLE = Decimal(1)
# Seconds between the marks of how far the calendar was played, and between matchings at moved prices.
MARK_EVERY, MATCH_EVERY = 60.0, 1.0


class Exchange:
    """Books and matches the orders of all accounts.

    Parameters
    ----------
    fees
        (account, order, quantity, price) -> fee and the asset it is taken in.
    """

    def __init__(self, ledger: Ledger, clock: Clock, seed: int, fees: FeeRule) -> None:
        self.ledger, self.clock, self.seed = ledger, clock, seed
        self.state = State()
        for event in ledger.events:
            self.state.apply(event)
        self.prices = Prices(seed, self.state.prices)
        self.assets: dict[str, Asset] = {each.symbol: each for each in FUNDS}
        self.pairs: dict[str, Pair] = {each.symbol: each for each in PAIRS}
        self.listeners: list[Listener] = []
        # Symbols in which nothing fills, and the share of an order that an opening fills.
        self.halted: set[str] = set()
        self.opening_portions: dict[str, Decimal] = {}
        # Whether the market is open whatever the calendar says; None follows the calendar.
        self.forced_open: bool | None = None
        self._fees = fees
        # How far the clock that the brokers tell of is from theirs.
        self.skew = timedelta(0)
        self._moment: datetime | None = None
        self._due: list[tuple[datetime, int, Callable[[], object]]] = []
        self._scheduled = 0
        self._matched_at: datetime | None = None

    def told(self) -> datetime:
        """Return the time that the brokers tell of."""
        return self.now() + self.skew

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something when so much time has passed."""
        self._scheduled += 1
        heappush(self._due, (self.now() + timedelta(seconds=seconds), self._scheduled, action))

    def move(self, account: str, activity: str, asset: str, amount: Decimal, **more: Any) -> None:
        """Change a balance by something that is no fill."""
        number = len(self.state.movements) + 1
        self.record(
            "movement",
            id=self.new_id("movement", number),
            number=number,
            account=account,
            activity=activity,
            asset=asset,
            amount=str(amount),
            at=iso(self.now()),
            **more,
        )

    def now(self) -> datetime:
        """Return the simulated time; while a session's turn is played, that of the turn."""
        return self._moment if self._moment is not None else self.clock.now()

    def is_open(self) -> bool:
        """Whether the New York market is open now."""
        return running_session(self.now()) is not None if self.forced_open is None else self.forced_open

    def record(self, kind: str, **content: Any) -> None:
        """Append an event and fold it."""
        self.state.apply(self.ledger.append({"kind": kind, **content}))

    def new_id(self, what: str, number: int) -> str:
        """Return an id that the same seed gives again."""
        return str(uuid5(NAMESPACE_URL, f"simulator/{self.seed}/{what}/{number}"))

    def price(self, symbol: str) -> Decimal:
        """Return the price of a symbol now."""
        return self.prices.at(symbol, self.now())

    def book(self, terms: Mapping[str, Any]) -> Order:
        """Book an order; nothing of it is matched yet."""
        number, at = len(self.state.orders) + 1, iso(self.now())
        face = self.state.accounts[terms["account"]].face
        identity = self.new_id("order", number) if face == ALPACA else str(28_000_000_000 + number)
        self.record("order", **{"id": identity, "number": number, "created_at": at, "visible_at": at, **terms})
        return self.state.orders[identity]

    def set_status(self, order: Order, status: str, reason: str = "", **more: Any) -> None:
        """Change an order's status and tell the listeners."""
        self.record("status", order=order.id, status=status, at=iso(self.now()), reason=reason, **more)
        self.tell(status, order)

    def tell(self, event: str, order: Order, execution: Execution | None = None) -> None:
        """Tell the listeners what happened to an order."""
        for listener in self.listeners:
            listener(event, order, execution)

    def cancel(self, order: Order, reason: str = "") -> None:
        """End what is left of an order."""
        self.set_status(order, "canceled", reason)

    def cancel_as(self, order: Order, course: Mapping[str, float]) -> None:
        """Cancel an order on request.

        Parameters
        ----------
        course
            ``portion`` of what is left that fills before it is cancelled, ``seconds`` until it is.
        """

        def finish() -> None:
            if not order.is_open:
                return
            share = self._rounded(order, order.left * Decimal(str(course.get("portion", 0))))
            if share:
                self.fill(order, share, self.price(order.symbol))
            if order.is_open:
                self.cancel(order)

        if course.get("seconds"):
            self.later(course["seconds"], finish)
        else:
            finish()

    def reject(self, order: Order, reason: str) -> None:
        """End an order that had been accepted: brokers refuse some only later."""
        self.set_status(order, "rejected", reason)

    def undo(self, execution: Execution, price: Decimal | None = None, quantity: Decimal | None = None) -> None:
        """Bust an execution, or correct it to another price or quantity."""
        corrected = price is not None or quantity is not None
        number = len(self.state.executions) + 1
        account, order = self.state.accounts[execution.account], self.state.orders.get(execution.order)
        new_quantity, new_price = quantity or execution.quantity, price or execution.price
        more = {"corrects": execution.id} if corrected else {"bust_of": execution.id}
        self._record_execution(
            account, execution, number, new_quantity if corrected else execution.quantity, new_price, more
        )
        if order is not None:
            self.tell("trade_correct" if corrected else "trade_bust", order, self.state.executions[-1])

    def _record_execution(
        self,
        account: Account,
        old: Execution,
        number: int,
        quantity: Decimal,
        price: Decimal,
        more: Mapping[str, str],
    ) -> None:
        self.record(
            "execution",
            id=self.new_id("execution", number) if account.face == ALPACA else str(number),
            number=number,
            order=old.order,
            account=old.account,
            symbol=old.symbol,
            base=old.base,
            quote=old.quote,
            side=old.side,
            quantity=str(quantity),
            price=str(price),
            fee=str(old.fee),
            fee_asset=old.fee_asset,
            at=iso(self.now()),
            cumulative=str(old.cumulative - old.quantity + (quantity if "corrects" in more else 0)),
            left=str(old.left),
            status=old.status,
            **more,
        )

    def fill(self, order: Order, quantity: Decimal, price: Decimal) -> Execution:
        """Fill a part of an order."""
        number = len(self.state.executions) + 1
        account = self.state.accounts[order.account]
        fee, fee_asset = self._fees(account, order, quantity, price)
        done = order.filled + quantity >= order.quantity
        self.record(
            "execution",
            id=self.new_id("execution", number) if account.face == ALPACA else str(number),
            number=number,
            order=order.id,
            account=order.account,
            symbol=order.symbol,
            base=order.base,
            quote=order.quote,
            side=order.side,
            quantity=str(quantity),
            price=str(price),
            fee=str(fee),
            fee_asset=fee_asset,
            at=iso(self.now()),
            cumulative=str(order.filled + quantity),
            left=str(order.left - quantity),
            # What fills after its order has ended does not open it again.
            status="filled" if done else "partially_filled" if order.is_open else order.status,
        )
        execution = self.state.executions[-1]
        self.tell("fill" if done else "partial_fill", order, execution)
        return execution

    def match(self, order: Order, opening: bool = False) -> None:
        """Fill an order at the market's price, if its terms and the hours allow it."""
        if not order.is_open or order.symbol in self.halted or not self._trades(order):
            return
        if order.status in ("accepted", "pending_new"):
            self.set_status(order, "new")
        price = self._meets(order)
        if price is not None:
            quantity = self._share(order, opening)
            if quantity > 0:
                self.fill(order, quantity, price)

    def match_all(self, symbol: str | None = None) -> None:
        """Match the open orders, of one symbol or of all, the oldest first."""
        for order in list(self.state.open.values()):
            if symbol in (None, order.symbol) and order.time_in_force != "opg":
                self.match(order)

    def run_until(self, until: datetime) -> None:
        """Do what is due between the last call and ``until``, in its order, and match at the prices of then."""
        after = parse_time(self.state.processed_until) if self.state.processed_until else until
        coming: list[tuple[datetime, Callable[[], object]]] = [
            (at, self._opens if name == "open" else self._closes)
            for at, name, _ in (turns(after, until) if after < until else [])
        ]
        while coming or (self._due and self._due[0][0] <= until):
            # What an opening filled in part shows as such, however far the clock was moved: the rest fills next time.
            self._matched_at = until
            if coming and (not self._due or coming[0][0] <= self._due[0][0]):
                at, action = coming.pop(0)
            else:
                at, _, action = heappop(self._due)
            self._moment = at
            try:
                action()
            finally:
                self._moment = None
        # A line for every request would be most of the ledger: a coarse mark is enough, a turn leaves its own.
        if not self.state.processed_until or (until - after).total_seconds() >= MARK_EVERY:
            self._mark(until)
        if self._matched_at is None or (until - self._matched_at).total_seconds() >= MATCH_EVERY:
            self._matched_at = until
            self.match_all()

    def _opens(self) -> None:
        self._mark(self.now())
        self._open()

    def _closes(self) -> None:
        self._mark(self.now())
        self._close()

    def open_market(self) -> None:
        """Open the market at this instant, whatever the calendar says, and hold the opening auction."""
        self.forced_open = True
        self._open()

    def close_market(self) -> None:
        """Close the market at this instant, whatever the calendar says; the day orders end."""
        self.forced_open = False
        self._close()

    def turn_back(self) -> None:
        """Let the calendar be played again from now on, where the clock was set back."""
        self._mark(self.now())
        self._matched_at = None

    def _mark(self, at: datetime) -> None:
        self.record("until", at=iso(at))

    def _open(self) -> None:
        """Hold the opening auction."""
        for order in self._of_alpaca():
            self.match(order, opening=True)
            if order.is_open and order.time_in_force == "opg":
                # What users saw: the paper account lets them expire, the live one cancels them.
                paper = self.state.accounts[order.account].endpoint == "paper"
                self.set_status(order, "expired" if paper else "canceled", "not filled at the opening")

    def _close(self) -> None:
        """End the day orders, and charge the fees of the day's sales."""
        for order in self._of_alpaca():
            if order.time_in_force in ("day", "cls"):
                self.set_status(order, "expired", "the session has closed")
        for sale, dollars, words in list(sale_fees.due(self.state, self.now().astimezone(NEW_YORK).date())):
            self.move(sale.account, "FEE", "USD", -dollars, note=words)

    def _of_alpaca(self) -> list[Order]:
        return [order for order in self.state.open.values() if self.state.accounts[order.account].face == ALPACA]

    def _trades(self, order: Order) -> bool:
        return self.state.accounts[order.account].face != ALPACA or self.is_open()

    def _meets(self, order: Order) -> Decimal | None:
        """Return the price at which an order trades now, or None."""
        price = self.price(order.symbol)
        buys = order.side == "buy"
        if order.stop_price is not None and not order.triggered:
            falls = order.wire.get("falling", not buys)
            if (price > order.stop_price) if falls else (price < order.stop_price):
                return None
            self.record("status", order=order.id, status=order.status, at=iso(self.now()), triggered=True, reason="")
        if order.limit_price is None or (price <= order.limit_price if buys else price >= order.limit_price):
            return price
        return None

    def _share(self, order: Order, opening: bool) -> Decimal:
        """Return how much of an order fills now."""
        portion = order.portion if order.portion is not None and not order.filled else WHOLE
        if opening:
            portion = min(portion, self.opening_portions.get(order.symbol, WHOLE))
        if portion >= 1:
            return order.left
        return min(order.left, self._rounded(order, order.quantity * portion))

    @staticmethod
    def _rounded(order: Order, quantity: Decimal) -> Decimal:
        """Round a part of an order down to what trades: whole units, unless the order itself is none of them."""
        step = Decimal("0.00001") if order.quantity != order.quantity.to_integral_value() else WHOLE
        return quantity.quantize(step, ROUND_DOWN)

"""A trial: some days of a book at a broker, one process of them killed at a point, judged by the broker's ledger.

What goes wrong besides follows from the seed: answers that are lost, orders that are invisible for a while or arrive
late, partial fills, a second kill of what comes back after the first.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.campaigns.order_kills.desk import ALPACA, OPENINGS, PAIR, Desk
from tests.campaigns.order_kills.judgement import Verdict, filled_without_fills, judge
from tests.campaigns.order_kills.points import Point, Rule
from tests.campaigns.order_kills.processes import ANY, Ended, Kill, Work, in_process
from tests.campaigns.order_kills.simulator_process import SimulatorProcess
from tests.campaigns.order_kills.virtual_time import TIME
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.domain.book.orders import TERMINAL_STATUSES
from trading_lib.workflows.books.kill_switch import halt_trading, kill_switch
from trading_lib.workflows.orders.guarding.arming import arm
from trading_lib.workflows.orders.recovery import recover_book
from trading_lib.workflows.orders.watching import watch
from trading_lib.workflows.stages.catalogue import TRADE_STAGES

STAGES = {stage.name: stage.load() for stage in TRADE_STAGES}
DECIDING = ("recover", "settle", "signals", "targets", "risk", "orders")
DAYS, MOST_DAYS = 2, 6
TRIES, RETRY = 6, timedelta(minutes=3)
SECOND_KILL, LAST_MOMENT = 0.35, 60
# What may strike a request that places an order, and for how many seconds at most.
STRIKES = (
    "accept_then_drop",
    "accept_then_504",
    "drop_before",
    "late",
    "invisible",
    "truncated_body",
    "empty_body",
    "html_body",
)
LONGEST_LAG = 55
ENDED = ("canceled", "expired")


@dataclass
class Outcome:
    """What came of a trial."""

    client: str
    point: str
    seed: int
    kills: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    moments: Counter[str] = field(default_factory=Counter)

    @property
    def reached(self) -> bool:
        """Whether the process came to its point and was killed there."""
        return self.kills > 0


class Trial:
    """One point, one seed, one client."""

    def __init__(self, desk: Desk, point: Point, seed: int) -> None:
        self.desk, self.point = desk, point
        self.random = random.Random(f"{seed}/{desk.client}/{point.name}")
        self.book = f"paper-{desk.client}-{zlib.crc32(point.name.encode())}-{seed}"
        self.outcome = Outcome(desk.client, point.name, seed)
        # Somebody watches the orders, or the settlement is the first to ask. A fill is late once the end was known.
        self.watching = self.random.random() < 0.5 or point.late_fill
        self.recovers = self.random.random() < 0.5
        self.kill: Kill | None = Kill(point.moment, self.random.randint(1, point.most if desk.client == ALPACA else 1))

    def play(self) -> Outcome:
        """Trade, be killed, come back, trade on, and be judged."""
        session = self.random.choice(OPENINGS)
        simulator = self.desk.simulator(self.book, self.outcome.seed, session)
        try:
            self._faults(simulator)
            for _ in range(DAYS):
                self._day(simulator, session)
                session = self.desk.next(session)
                if self.point.late_fill:
                    self._fill_late(simulator)
            self._finish(simulator, session)
        finally:
            simulator.stop()
            kill_switch(self.desk.market.settings.folders).turn_off()
            # A simulator numbers its executions from 1 on, and a broker would not.
            self.desk.forget_books()
        return self.outcome

    def _day(self, simulator: SimulatorProcess, session: date) -> None:
        desk = self.desk
        self._step(simulator, desk.decided_at(session), lambda: self._tasks(session, DECIDING))
        simulator.post("prices", **desk.prices(desk.next(session)))
        # What would fill at once waits, where it is to be cancelled.
        waiting = {"symbols": list(PAIR.values()), "on": self.point.cancels}
        simulator.post("halt", **waiting)
        self._step(simulator, desk.sent_at(session), lambda: self._tasks(session, ("place",)))
        self._until_known(simulator, session)
        if self.point.cancels:
            self._cancel(simulator)
            simulator.post("halt", **waiting | {"on": False})
        opened = desk.opened_at(desk.next(session))
        if self.watching:
            self._step(simulator, opened, self._watch)
        else:
            simulator.move_to(opened)
            self._hold(simulator)

    def _cancel(self, simulator: SimulatorProcess) -> None:
        """Throw the kill switch with the wish to cancel, and watch until it is done."""
        folders = self.desk.market.settings.folders
        halt_trading("the campaign cancels", TIME.now, folders, cancel_working=True)
        self._step(simulator, TIME.now + RETRY, self._watch)
        self._step(simulator, TIME.now + RETRY, self._watch)
        kill_switch(folders).turn_off()

    def _watch(self) -> None:
        watch(self.book, self.desk.market.settings)

    def _finish(self, simulator: SimulatorProcess, session: date) -> None:
        """Settle until no order is open any more."""
        for _ in range(MOST_DAYS):
            self._step(
                simulator, self.desk.decided_at(session), lambda at=session: self._tasks(at, ("recover", "settle"))
            )
            settled, session = session, self.desk.next(session)
            if not self._open_orders():
                break
        judge(self.desk, simulator.judge(), self.book, settled, self.outcome.verdict)

    def _fill_late(self, simulator: SimulatorProcess) -> None:
        """Let the broker fill the rest of orders that have ended there."""
        orders = simulator.judge().orders()
        left = [each for each in orders if each["status"] in ENDED and each["filled"] < each["quantity"]]
        for order in left:
            simulator.post("fill", order=order["client_order_id"])

    def _until_known(self, simulator: SimulatorProcess, session: date) -> None:
        """Run `place` again, as its retries do, or watch, while the outcome of an order is unknown."""
        for _ in range(TRIES):
            if not any(str(status) == "UNKNOWN" for status in self._open_orders()):
                return
            again = self._watch if self.watching else lambda: self._tasks(session, ("place",))
            self._step(simulator, TIME.now + RETRY, again)

    def _recover(self) -> None:
        settings = self.desk.market.settings
        if BookStore(self.desk.market.engine).find(self.book) is not None:
            recover_book(self.book, settings=settings)

    def _tasks(self, session: date, names: tuple[str, ...]) -> None:
        # The settlement has to come to the same alone, without what a recovery does before it.
        for name in names if self.recovers else [name for name in names if name != "recover"]:
            run = self.desk.run(session, self.book)
            STAGES[name](run.plan, run)
            if name == "settle":
                account, until = self.desk.account, self.desk.next(session)
                arm(self.book, account, session, until, "campaign", settings=run.settings)

    def _step(self, simulator: SimulatorProcess, at: datetime, work: Work) -> None:
        """Do something in a process of its own, until one comes to its end."""
        simulator.move_to(max(at, TIME.now))
        for _ in range(TRIES):
            ended = self._process(simulator, work)
            if not ended.killed and not ended.error:
                return
            simulator.move_to(TIME.now + (self._away() if ended.killed else RETRY))
            self._hold(simulator)
            if ended.killed and self.recovers:
                # The command, by hand; what it did not do, the tasks do.
                self._process(simulator, self._recover)
        self.outcome.verdict.stuck.append(f"{TRIES} tries did not do it: {ended.error}")
        raise StuckError(self.outcome)

    def _process(self, simulator: SimulatorProcess, work: Work) -> Ended:
        self._hold(simulator)
        ended = in_process(self.desk.market.engine, work, self.desk.is_ours, self.kill)
        self._hold(simulator)
        self.outcome.moments += ended.moments
        if ended.killed:
            self.outcome.kills += 1
            self.outcome.verdict.lost_fills += filled_without_fills(self.desk, self.book)
            again = self.outcome.kills == 1 and self.random.random() < SECOND_KILL
            self.kill = Kill(ANY, self.random.randint(1, LAST_MOMENT)) if again else None
        elif self.kill is not None:
            self.kill = self._left(self.kill, ended)
        return ended

    def _left(self, kill: Kill, ended: Ended) -> Kill | None:
        """Return what is left to wait for of a kill; one at any moment is of one process only."""
        if kill.moment == ANY:
            return None
        return Kill(kill.moment, max(1, kill.nth - ended.moments[kill.moment]))

    def _away(self) -> timedelta:
        """How long nobody is there after a kill: a moment, or some minutes."""
        return timedelta(seconds=self.random.choice((1, 20, 100, 400)))

    def _hold(self, simulator: SimulatorProcess) -> None:
        """Take the simulator's time: the process may have waited."""
        TIME.now = simulator.now()

    def _open_orders(self) -> list[str]:
        orders = OrderStore(self.desk.market.engine).orders(self.book)
        return [str(status) for _, status in orders if status not in TERMINAL_STATUSES]

    def _faults(self, simulator: SimulatorProcess) -> None:
        drawn: list[Rule] = []
        for number in range(1, 4):
            if self.random.random() < 0.3:
                strike = self.random.choice(STRIKES)
                seconds = self.random.randint(1, LONGEST_LAG)
                drawn.append({"do": strike, "method": "POST", "nth": number, "seconds": seconds})
        if self.random.random() < 0.3:
            drawn.append({"do": "partial", "method": "POST", "nth": 1, "portion": 0.5})
        simulator.post("faults", faults=[*self.point.faults, *drawn])


class StuckError(AssertionError):
    """A trial that did not come to its end."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("; ".join(outcome.verdict.findings))
        self.outcome = outcome

"""Several processes at the orders of one session: retries at once, a lock that is lost, a database that dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import text

from tests.campaigns.order_kills.desk import ALPACA, OPENINGS, Desk
from tests.campaigns.order_kills.judgement import Verdict, judge
from tests.campaigns.order_kills.processes import LONGEST_SECONDS, Kill, Paused, in_process
from tests.campaigns.order_kills.simulator_process import SimulatorProcess
from tests.campaigns.order_kills.trials import DECIDING, RETRY, STAGES
from tests.campaigns.order_kills.virtual_time import TIME
from tests.campaigns.wal.kills import kill
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.book.orders import OrderPurpose, OrderStatus
from trading_lib.workflows.orders.guarding.arming import arm

# Where a process may be when somebody takes its lock, or the database, away.
WHILE_SENDING = ("SUBMIT: committed", "submit: before sending", "submit: on the wire", "submit: answer read")
LOCK_HOLDERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
)
BOOK = "paper"
SCHEDULERS, RETRIES = 2, 10


@dataclass
class Round:
    """What came of a round."""

    intents: int = 0
    requests: int = 0
    findings: list[str] = field(default_factory=list)


class Race:
    """A book whose session is decided, and its broker; the orders are not sent yet."""

    def __init__(self, desk: Desk, kind: str, seed: int) -> None:
        self.desk, self.book = desk, f"{BOOK}-{desk.client}-{kind}-{seed}"
        self.session = OPENINGS[seed % len(OPENINGS)]
        self.simulator: SimulatorProcess = desk.simulator(self.book, seed, self.session)
        self._at(desk.decided_at(self.session))
        self.alone(DECIDING)
        self.simulator.post("prices", **desk.prices(desk.next(self.session)))
        self._at(desk.sent_at(self.session))

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        self.simulator.stop()
        self.desk.forget_books()

    def tasks(self, names: tuple[str, ...], session: date | None = None) -> None:
        """Run tasks of a session, in this process."""
        for name in names:
            run = self.desk.run(session or self.session, self.book)
            STAGES[name](run.plan, run)
            if name == "settle":
                until = self.desk.next(self.session)
                arm(self.book, self.desk.account, run.session, until, "campaign", settings=run.settings)

    def alone(self, names: tuple[str, ...], session: date | None = None) -> None:
        """Run tasks in a process of their own, which has to come to its end."""
        ended = in_process(self.desk.market.engine, lambda: self.tasks(names, session), self.desk.is_ours)
        assert not ended.error, ended.error
        TIME.now = self.simulator.now()

    def place(self) -> None:
        """Send the orders."""
        self.tasks(("place",))

    def paused(self, moment: Kill) -> Paused:
        """Begin to send in a process that waits at a moment."""
        return Paused(self.desk.market.engine, self.place, self.desk.is_ours, moment)

    def finish(self) -> Round:
        """Find out what is unknown, settle the next session, and compare with the broker's ledger."""
        self._at(TIME.now + RETRY)
        self.alone(("place",))
        following = self.desk.next(self.session)
        self._at(self.desk.decided_at(following))
        self.alone(("settle",), following)
        verdict = Verdict()
        judge(self.desk, self.simulator.judge(), self.book, following, verdict)
        return Round(self.intents, self.requests, verdict.findings)

    @property
    def intents(self) -> int:
        """How many orders were decided for the broker."""
        orders = OrderStore(self.desk.market.engine).orders(self.book, session=self.session)
        sent = [order for order, _ in orders if order.purpose is not OrderPurpose.FEE]
        return sum(self.desk.is_ours(order.client_order_id) for order in sent)

    @property
    def requests(self) -> int:
        """How many requests to place an order arrived at the broker."""
        return sum(event["method"] == "POST" for event in self.simulator.judge().received())

    def unstored(self) -> list[str]:
        """Orders that the broker has, and whose sending is not stored."""
        orders = OrderStore(self.desk.market.engine).orders(self.book)
        sent = {order.client_order_id for order, status in orders if status is not OrderStatus.INTENDED}
        booked = [each["client_order_id"] for each in self.simulator.judge().orders()]
        return [f"{identity} was sent and is not stored" for identity in booked if identity not in sent]

    def _at(self, at: Any) -> None:
        self.simulator.move_to(at)
        TIME.now = self.simulator.now()


def retries_at_once(desk: Desk, seed: int, schedulers: int = SCHEDULERS, retries: int = RETRIES) -> Round:
    """Let schedulers start the same task at once, several times each: one order for an intent, by one request."""
    with Race(desk, "retries", seed) as race:
        reading, starting = os.pipe()
        children = [_scheduler(race, retries, reading, starting) for _ in range(schedulers)]
        os.close(reading)
        # The shot: every process reads the end of the pipe.
        os.close(starting)
        for child in children:
            os.waitpid(child, 0)
        once = race.requests == race.intents
        found = race.finish()
    if not once:
        found.findings.append(f"{found.requests} requests for {found.intents} orders")
    return found


def _scheduler(race: Race, retries: int, reading: int, starting: int) -> int:
    """Start processes that all wait for the shot, and then send."""
    scheduler = os.fork()
    if scheduler == 0:  # pragma: no cover - the child never reports
        try:
            signal.alarm(LONGEST_SECONDS)
            os.close(starting)
            race.desk.market.engine.dispose(close=False)
            tasks = [_retry(race, reading) for _ in range(retries)]
            for task in tasks:
                os.waitpid(task, 0)
        finally:
            os._exit(0)
    return scheduler


def _retry(race: Race, reading: int) -> int:
    task = os.fork()
    if task == 0:  # pragma: no cover - the child never reports
        try:
            signal.alarm(LONGEST_SECONDS)
            os.read(reading, 1)
            race.place()
        finally:
            os._exit(0)
    return task


def lock_lost(desk: Desk, seed: int) -> Round:
    """Cut the connection of a sender's lock while it sends; another sends meanwhile, and then the first goes on."""
    moment = Kill(WHILE_SENDING[seed % len(WHILE_SENDING)])
    with Race(desk, "lock", seed) as race:
        first = race.paused(moment)
        assert first.is_there(), f"nobody came to {moment.moment}"
        with desk.market.engine.begin() as connection:
            cut = connection.execute(text(LOCK_HOLDERS)).all()
        assert cut, "nobody held a lock"
        race.alone(("place",))
        first.go_on()
        return race.finish()


def database_killed(desk: Desk, seed: int) -> Round:
    """Kill the database server between a sending's commit and its request; what was sent is stored."""
    moment = Kill("submit: before sending", 1 + (seed % 2 if desk.client == ALPACA else 0))
    with Race(desk, "database", seed) as race:
        sender = race.paused(moment)
        assert sender.is_there(), "nobody sent anything"
        desk.market.engine.dispose()
        kill(desk.server, everything=seed % 2 == 0)
        ended = sender.go_on()
        EmbeddedPostgres(desk.server).start()
        desk.market.engine.dispose()
        unstored = race.unstored()
        found = race.finish()
    if not ended.error:
        found.findings.append("the sender did not notice that its database was gone")
    found.findings += unstored
    return found


def campaign(
    desks: Mapping[str, Desk],
    seed: int,
    rounds: int,
    database_kills: int,
    progress: Callable[[str, int, Round], None] = lambda kind, number, found: None,
) -> dict[str, Any]:
    """Play rounds of each kind, at one client's broker after the other, and count."""
    clients = list(desks.values())
    result: dict[str, Any] = {"seed": seed, "schedulers": SCHEDULERS, "retries": SCHEDULERS * RETRIES}
    findings: list[str] = []
    intents = requests = 0
    for kind, play, wanted in (
        ("retries_at_once", retries_at_once, rounds),
        ("locks_lost", lock_lost, rounds),
        ("databases_killed", database_killed, database_kills),
    ):
        for number in range(wanted):
            # Every moment and session comes to every client.
            desk, drawn = clients[number % len(clients)], seed + number // len(clients)
            found = play(desk, drawn)
            progress(kind, number, found)
            intents, requests = intents + found.intents, requests + found.requests
            findings += [f"{kind}, {desk.client}, seed {drawn}: {each}" for each in found.findings]
        result[kind] = wanted
    return {**result, "intents": intents, "requests": requests, "findings": findings[:20]}

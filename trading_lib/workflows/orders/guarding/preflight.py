"""Preflight: what would keep a book's orders from its brokers, found out before the session and without sending any."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.errors import TradingError
from trading_lib.execution.broker import Broker
from trading_lib.execution.send_window import WindowState
from trading_lib.workflows.books.kill_switch import kill_switch
from trading_lib.workflows.operations.doctor import check_disk
from trading_lib.workflows.orders.guarding.availability import MOST_SKEW, SKEW_TOLD, skew_of
from trading_lib.workflows.orders.guarding.beginning import unlike_the_book
from trading_lib.workflows.orders.guarding.guards import refusal, window_of
from trading_lib.workflows.trade.broker_access import (
    AtBrokers,
    BookAtBrokers,
    broker_of,
    check_brokers,
    is_real,
    traded_in,
)
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings


class State(StrEnum):
    """How a finding counts; only problems keep orders back."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``account`` is "" where it concerns all of them."""

    account: str
    subject: str
    state: State
    detail: str


@logged("preflight")
def preflight(book: str, settings: Settings | None = None) -> dict[str, Any]:
    """Look at everything that the orders of the book's current session need; the brokers are asked, and sent nothing.

    Returns
    -------
    dict
        ``ready`` and the findings, in the order in which they would meet an order.
    """
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    run = BookAtBrokers(active, BookStore(engine).book(book), engine)
    session = active.calendar.latest_decidable(active.clock())
    findings = list(_own(run))
    for account in active.configuration.accounts.accounts:
        if is_real(account, active):
            findings += _sending(run, account, session)
            findings += asyncio.run(_at_broker(run, account))
        else:
            findings.append(Finding(account.name, "broker", State.OK, "the simulated broker takes every order"))
    return {
        "book": book,
        "session": session.isoformat(),
        "ready": all(finding.state is not State.PROBLEM for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _own(run: AtBrokers) -> Iterator[Finding]:
    """Look at what is to be seen without any broker."""
    settings, name = run.settings, run.book.name
    try:
        check_brokers(run.book.data_source, settings)
        yield Finding("", "configuration", State.OK, str(settings.configuration.folder))
    except TradingError as error:
        yield Finding("", "configuration", State.PROBLEM, str(error))
    switch = kill_switch(settings.folders).state()
    told = f"on since {switch.since or 'some time'}: {switch.reason}; `trading kill-switch off` ends it"
    yield Finding("", "kill switch", State.PROBLEM if switch.on else State.OK, told if switch.on else "off")
    reason = DisarmedBooks(settings.folders.home).reason(name)
    if reason is not None:
        told = f"{reason}; `trading book arm --book {name} --by NAME` releases the book"
        yield Finding("", "release after a restore", State.PROBLEM, told)
    home = settings.folders.home
    home.mkdir(parents=True, exist_ok=True)
    disk = check_disk(home, shutil.disk_usage(home).free)
    well = disk.state == "ok"
    yield Finding(
        "", "disk", State.OK if well else State.PROBLEM, disk.detail if well else f"{disk.detail}: {disk.remedy}"
    )


def _sending(run: AtBrokers, account: Account, session: date) -> Iterator[Finding]:
    reason = refusal(run, account, session)
    armed = f"armed for session {session}"
    yield Finding(account.name, "arming", State.PROBLEM if reason else State.OK, reason or armed)
    window = window_of(run, account, session)
    match window.state(run.settings.clock()):
        case WindowState.EARLY:
            yield Finding(account.name, "send window", State.OK, f"opens at {window.opens:%Y-%m-%d %H:%M} UTC")
        case WindowState.CLOSED:
            told = f"closed for session {session} since {window.closes:%Y-%m-%d %H:%M} UTC"
            yield Finding(account.name, "send window", State.WARNING, told)
        case _:
            until = f", until {window.closes:%Y-%m-%d %H:%M} UTC" if window.closes else ""
            yield Finding(account.name, "send window", State.OK, f"open{until}")


async def _at_broker(run: AtBrokers, account: Account) -> list[Finding]:
    """Ask the broker: keys, clock, account, and what it says of each symbol."""
    try:
        broker = broker_of(run, account)
        await broker.connect()
    except TradingError as error:
        return [Finding(account.name, "connection and keys", State.PROBLEM, str(error))]
    findings = [Finding(account.name, "connection and keys", State.OK, broker.name)]
    try:
        findings.append(await _clock(run, account, broker))
        there = await broker.account()
        money = f"{there.cash} {there.currency} in cash, buying power {there.buying_power}"
        findings.append(Finding(account.name, "account", State.OK, money))
        if unlike := await unlike_the_book(run, account, broker):
            findings.append(Finding(account.name, "beginning", State.WARNING, unlike))
        findings += await _symbols(run, account, broker)
    except TradingError as error:
        findings.append(Finding(account.name, "broker", State.PROBLEM, str(error)))
    finally:
        await broker.close()
    return findings


async def _clock(run: AtBrokers, account: Account, broker: Broker) -> Finding:
    skew = await skew_of(broker, run.settings.clock)
    if skew is None:
        return Finding(account.name, "clock", State.OK, "the broker does not tell its time")
    told = f"{abs(skew.total_seconds()):.1f} s {'behind' if skew.total_seconds() > 0 else 'ahead of'} the broker's"
    if abs(skew) > MOST_SKEW:
        return Finding(account.name, "clock", State.PROBLEM, f"{told}: set this computer's clock, nothing is sent")
    return Finding(account.name, "clock", State.WARNING if abs(skew) > SKEW_TOLD else State.OK, told)


async def _symbols(run: AtBrokers, account: Account, broker: Broker) -> list[Finding]:
    asked = getattr(broker, "preflight", None)
    if asked is None:
        return [Finding(account.name, "symbols", State.OK, "the broker does not say beforehand what it would refuse")]
    classes = traded_in(account, run.settings)
    universe = run.settings.configuration.universe
    symbols = [one.symbol for one in universe if one.asset_class in classes and not one.retired]
    states = {True: State.PROBLEM, False: State.WARNING}
    return [
        Finding(
            account.name,
            found.subject,
            State.OK if found.ok else states[found.blocking],
            found.problem or "ready",
        )
        for found in await asked(symbols)
    ]

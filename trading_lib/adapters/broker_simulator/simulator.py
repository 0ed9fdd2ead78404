"""The simulator: it finds the face and the account of a request, lets faults strike, and answers.

Input: requests. Output: replies, once everything they tell is in the ledger. It knows no socket, so that the server
and the in-process transport answer alike.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trading_lib.adapters.broker_simulator.alpaca.errors import AlpacaRefusalError, unauthorized
from trading_lib.adapters.broker_simulator.alpaca.rest import AlpacaRest
from trading_lib.adapters.broker_simulator.alpaca.stream import TradeUpdates
from trading_lib.adapters.broker_simulator.binance.errors import BinanceRefusalError
from trading_lib.adapters.broker_simulator.binance.orders import fees
from trading_lib.adapters.broker_simulator.binance.rest import BinanceRest
from trading_lib.adapters.broker_simulator.binance.signature import check_signature
from trading_lib.adapters.broker_simulator.control.routes import Control
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.faults.plan import Faults, Plan
from trading_lib.adapters.broker_simulator.faults.script import Script
from trading_lib.adapters.broker_simulator.ledger.file import Ledger
from trading_lib.adapters.broker_simulator.ledger.judge import Judge
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, BINANCE, Account, Order, iso, parse_time
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.messages import ALPACA_HOSTS, BINANCE_HOSTS, Reply, Request, json_reply

ALPACA_SETTINGS: Mapping[str, Any] = {"multiplier": "1", "shorting": False, "fractional": True}
# fees_in: received (base coin of a purchase, quote coin of a sale), BNB or quote.
BINANCE_SETTINGS: Mapping[str, Any] = {"fee_rate": "0.001", "fees_in": "received"}


@dataclass(frozen=True)
class Keys:
    """A key of an account and its secret, which stays out of the ledger."""

    account: str
    secret: str


# The keys a fresh simulator knows; they open nothing but itself.
PAPER_KEY, PAPER_SECRET = "SIMULATED-ALPACA-PAPER", "simulated-alpaca-paper-secret"
LIVE_KEY, LIVE_SECRET = "SIMULATED-ALPACA-LIVE", "simulated-alpaca-live-secret"
BINANCE_KEY, BINANCE_SECRET = "SIMULATED-BINANCE", "simulated-binance-secret"
DEMO_KEY, DEMO_SECRET = "SIMULATED-BINANCE-DEMO", "simulated-binance-demo-secret"
# Dollars at Alpaca, USDT at Binance.
BEGINNING_CASH = (Decimal(100_000), Decimal(100_000))


class Simulator:
    """Both brokers over one ledger.

    Parameters
    ----------
    seed
        Of ids, prices and faults.
    ledger
        File of the ledger; None keeps it in memory.
    clock
        The simulated time.
    script
        What goes wrong.
    cash
        Dollars and USDT that new accounts begin with at Alpaca and at Binance.
    """

    def __init__(
        self,
        seed: int = 0,
        ledger: Path | None = None,
        clock: Clock | None = None,
        script: Script | None = None,
        cash: tuple[Decimal, Decimal] = BEGINNING_CASH,
    ) -> None:
        self.seed = seed
        self.clock = clock or Clock()
        self.ledger = Ledger(ledger)
        self.exchange = Exchange(self.ledger, self.clock, seed, self._fees)
        self.keys: dict[str, Keys] = {}
        self.faults = Faults(script or Script(), seed, self.clock.now)
        self.alpaca = AlpacaRest(self.exchange)
        self.binance = BinanceRest(self.exchange)
        self.updates = TradeUpdates(self.exchange, self._alpaca_account, lambda *event: self.faults.of_event(*event))
        self._control = Control(self)
        # Clients of several threads may ask; everything is answered in turn.
        self._lock = threading.RLock()
        self._resume()
        self._usual_accounts(*cash)
        self.ledger.commit()

    def use_script(self, script: Script) -> None:
        """Let other faults strike from now on; their counters start again."""
        self.faults = Faults(script, self.seed, self.clock.now)

    def add_account(
        self,
        face: str,
        endpoint: str,
        number: str,
        key: str,
        secret: str,
        settings: Mapping[str, Any] | None = None,
        deposit: Mapping[str, Decimal] | None = None,
    ) -> Account:
        """Open an account, or give one that the ledger has already another key.

        Parameters
        ----------
        deposit
            Asset -> units that a new account starts with.
        """
        identity = str(uuid5(NAMESPACE_URL, f"simulator/account/{face}/{number}"))
        if identity not in self.exchange.state.accounts:
            usual = ALPACA_SETTINGS if face == ALPACA else BINANCE_SETTINGS
            self.exchange.record(
                "account",
                id=identity,
                face=face,
                number=number,
                endpoint=endpoint,
                at=iso(self.exchange.now()),
                settings={**usual, **(settings or {})},
            )
            for asset, units in (deposit or {}).items():
                kind = "CSD" if asset in ("USD", "USDT") else "JNLS"
                self.exchange.move(identity, kind, asset, units, note="opening balance")
        self.keys[key] = Keys(identity, secret)
        return self.exchange.state.accounts[identity]

    def account_of(self, face: str, endpoint: str = "") -> Account:
        """Return the first account of a face and, if given, an endpoint."""
        return next(
            each
            for each in self.exchange.state.accounts.values()
            if each.face == face and endpoint in ("", each.endpoint)
        )

    def judge(self) -> Judge:
        """Return the judge of what was booked so far."""
        return Judge(self.ledger.events)

    def pass_time(self, seconds: float) -> None:
        """Let simulated time pass, with everything that happens in it."""
        with self._lock:
            self.clock.move(timedelta(seconds=seconds))
            self.tick()

    def tick(self) -> None:
        """Do what is due by now: late requests, cancellations, openings and closings, fills at moved prices."""
        with self._lock:
            self.exchange.run_until(self.clock.now())
            self.ledger.commit()

    def answer(self, request: Request) -> Reply:
        """Answer a request; what the answer tells is in the ledger when this returns."""
        with self._lock:
            self.exchange.run_until(self.clock.now())
            to_control = request.path.startswith("/simulator/")
            reply = self._control.answer(request) if to_control else self._struck(request)
            self.ledger.commit()
            return reply

    def _struck(self, request: Request) -> Reply:
        """Answer a request of a broker's client, as far as the faults let it."""
        face = _face(request)
        if not face:
            return json_reply({"message": f"the broker simulator has no {request.path}"}, 404)
        plan = self.faults.plan(face, request)
        self.exchange.skew = plan.skew
        try:
            reply = plan.instead if plan.instead is not None else self._carried_out(face, request, plan)
            for change in plan.changes:
                reply = change(reply)
            date = format_datetime(self.exchange.told(), usegmt=True)
            return replace(reply, headers={"Date": date, **reply.headers})
        finally:
            self.exchange.skew = timedelta(0)

    def _carried_out(self, face: str, request: Request, plan: Plan) -> Reply:
        try:
            account = self._account(face, request)
        except (AlpacaRefusalError, BinanceRefusalError) as refusal:
            return refusal.reply
        if account is None:
            return self.binance.answer_public(request)
        self._note(account, request, plan)
        rest: AlpacaRest | BinanceRest = self.alpaca if face == ALPACA else self.binance
        if plan.late is not None:
            owner = account
            self.exchange.later(plan.late, lambda: rest.answer(owner, request))
            return Reply(0, dropped=True)
        if plan.other_account:
            account = self._foreign_account(face, account.endpoint)
        if plan.invisible:
            plan.terms["visible_at"] = iso(self.exchange.now() + timedelta(seconds=plan.invisible))
        rest.next_order, rest.next_cancel = plan.terms, plan.cancel
        try:
            return rest.answer(account, request)
        finally:
            rest.next_order, rest.next_cancel = {}, {}

    def _account(self, face: str, request: Request) -> Account | None:
        """Return the account of a request's key, None for a public request; a refusal raises."""
        if face == ALPACA:
            account = self._alpaca_account(request.header("APCA-API-KEY-ID"), request.header("APCA-API-SECRET-KEY"))
            if account is None or ALPACA_HOSTS.get(request.host) not in (None, account.endpoint):
                raise unauthorized()
            return account
        return None if self.binance.is_public(request) else self._binance_account(request)

    def _alpaca_account(self, key: str, secret: str) -> Account | None:
        known = self.keys.get(key)
        account = None if known is None else self.exchange.state.accounts[known.account]
        if known is None or account is None or account.face != ALPACA or known.secret != secret:
            return None
        return account

    def _binance_account(self, request: Request) -> Account:
        key = request.header("X-MBX-APIKEY")
        if not key:
            raise BinanceRefusalError(-2014, "API-key format invalid.", 401)
        known = self.keys.get(key)
        account = None if known is None else self.exchange.state.accounts[known.account]
        endpoint = BINANCE_HOSTS.get(request.host)
        if known is None or account is None or account.face != BINANCE or endpoint not in (None, account.endpoint):
            raise BinanceRefusalError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        check_signature(request, known.secret, self.exchange.told())
        return account

    def _foreign_account(self, face: str, endpoint: str) -> Account:
        """Return an account that is none of the key's."""
        number, deposit = (
            ("PA3FOREIGN", {"USD": Decimal(777), "QQQ": Decimal(7)})
            if face == ALPACA
            else ("777777777", {"USDT": Decimal(777), "ETH": Decimal(7)})
        )
        return self.add_account(face, endpoint, number, f"FOREIGN-{face}", number, deposit=deposit)

    def _note(self, account: Account, request: Request, plan: Plan) -> None:
        """Keep that a request to place or cancel arrived, and what struck it."""
        if request.method == "GET":
            return
        body = request.body.decode(errors="replace") if request.method == "POST" else ""
        asked = body.partition("&signature=")[0] or request.query.partition("&signature=")[0]
        self.exchange.record(
            "request",
            account=account.id,
            method=request.method,
            path=request.path,
            asked=asked[:2000],
            struck=plan.struck,
            at=iso(self.exchange.now()),
        )

    def _fees(self, account: Account, order: Order, quantity: Decimal, price: Decimal) -> tuple[Decimal, str]:
        return fees(account, order, quantity, price, self.exchange.price("BNBUSDT"))

    def _resume(self) -> None:
        """Go on where the ledger was left: at its time if its clock had been set, with cancellations done."""
        left = self.exchange.state.clock
        if left is not None:
            at = self._left_at()
            if left["runs"]:
                self.clock.run(at)
            else:
                self.clock.stand(at)
        for order in list(self.exchange.state.open.values()):
            if order.status == "pending_cancel":
                self.exchange.cancel(order)

    def _left_at(self) -> datetime:
        """Return the newest time of the ledger since its clock was last set."""
        newest = ""
        for event in reversed(self.ledger.events):
            newest = max(newest, str(event.get("at") or event.get("created_at") or ""))
            if event["kind"] == "clock":
                break
        return parse_time(newest)

    def _usual_accounts(self, dollars: Decimal, usdt: Decimal) -> None:
        cash = {"USD": dollars}
        coins = {"USDT": usdt, "BNB": Decimal(10)}
        self.add_account(ALPACA, "paper", "PA3SIMULATED", PAPER_KEY, PAPER_SECRET, deposit=cash)
        self.add_account(ALPACA, "live", "910000001", LIVE_KEY, LIVE_SECRET, deposit=cash)
        self.add_account(BINANCE, "live", "354937868", BINANCE_KEY, BINANCE_SECRET, deposit=coins)
        self.add_account(BINANCE, "paper", "354937869", DEMO_KEY, DEMO_SECRET, deposit=coins)


def _face(request: Request) -> str:
    if request.host in ALPACA_HOSTS or request.path.startswith("/v2/"):
        return ALPACA
    return BINANCE if request.path.startswith(("/api/", "/sapi/", "/fapi/", "/dapi/")) else ""

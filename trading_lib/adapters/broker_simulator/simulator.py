"""The simulator: it finds the face and the account of a request, lets faults strike, and answers.

Input: requests. Output: replies, once everything they tell is in the ledger. It knows no socket, so that the server
and the in-process transport answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trading_lib.adapters.broker_simulator.alpaca.errors import unauthorized
from trading_lib.adapters.broker_simulator.alpaca.rest import AlpacaRest
from trading_lib.adapters.broker_simulator.binance.errors import BinanceRefusalError
from trading_lib.adapters.broker_simulator.binance.orders import fees
from trading_lib.adapters.broker_simulator.binance.rest import BinanceRest
from trading_lib.adapters.broker_simulator.binance.signature import check_signature
from trading_lib.adapters.broker_simulator.exchange import Exchange
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
    """

    def __init__(self, seed: int = 0, ledger: Path | None = None, clock: Clock | None = None) -> None:
        self.seed = seed
        self.clock = clock or Clock()
        self.ledger = Ledger(ledger)
        self.exchange = Exchange(self.ledger, self.clock, seed, self._fees)
        self.keys: dict[str, Keys] = {}
        self.alpaca = AlpacaRest(self.exchange)
        self.binance = BinanceRest(self.exchange)
        self._resume_clock()
        self._usual_accounts()
        self.ledger.commit()

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
        identity = str(uuid5(NAMESPACE_URL, f"simulator/{self.seed}/account/{face}/{number}"))
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
                self.move(identity, "CSD" if asset in ("USD", "USDT") else "JNLS", asset, units, note="opening balance")
        self.keys[key] = Keys(identity, secret)
        return self.exchange.state.accounts[identity]

    def move(self, account: str, kind: str, asset: str, amount: Decimal, **more: Any) -> None:
        """Change a balance by something that is no fill."""
        number = len(self.exchange.state.movements) + 1
        self.exchange.record(
            "movement",
            id=self.exchange.new_id("movement", number),
            number=number,
            account=account,
            activity=kind,
            asset=asset,
            amount=str(amount),
            at=iso(self.exchange.now()),
            **more,
        )

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
        """Let simulated time pass."""
        self.clock.move(timedelta(seconds=seconds))

    def answer(self, request: Request) -> Reply:
        """Answer a request; what the answer tells is in the ledger when this returns."""
        self.exchange.run_until(self.clock.now())
        reply = self._answer(request)
        self.ledger.commit()
        return reply

    def _answer(self, request: Request) -> Reply:
        if self._face(request) == ALPACA:
            return self._alpaca(request)
        if self._face(request) == BINANCE:
            return self._binance(request)
        return json_reply({"message": f"the broker simulator has no {request.path}"}, 404)

    @staticmethod
    def _face(request: Request) -> str:
        if request.host in ALPACA_HOSTS or request.path.startswith("/v2/"):
            return ALPACA
        return BINANCE if request.path.startswith(("/api/", "/sapi/", "/fapi/", "/dapi/")) else ""

    def _alpaca(self, request: Request) -> Reply:
        known = self.keys.get(request.header("APCA-API-KEY-ID"))
        account = None if known is None else self.exchange.state.accounts[known.account]
        endpoint = ALPACA_HOSTS.get(request.host)
        if (
            known is None
            or account is None
            or account.face != ALPACA
            or known.secret != request.header("APCA-API-SECRET-KEY")
            or endpoint not in (None, account.endpoint)
        ):
            return unauthorized().reply
        self._note(account, request)
        return self.alpaca.answer(account, request)

    def _binance(self, request: Request) -> Reply:
        if self.binance.is_public(request):
            return self.binance.answer(None, request)
        try:
            account = self._binance_account(request)
        except BinanceRefusalError as refusal:
            return refusal.reply
        self._note(account, request)
        return self.binance.answer(account, request)

    def _binance_account(self, request: Request) -> Account:
        key = request.header("X-MBX-APIKEY")
        if not key:
            raise BinanceRefusalError(-2014, "API-key format invalid.", 401)
        known = self.keys.get(key)
        account = None if known is None else self.exchange.state.accounts[known.account]
        endpoint = BINANCE_HOSTS.get(request.host)
        if known is None or account is None or account.face != BINANCE or endpoint not in (None, account.endpoint):
            raise BinanceRefusalError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        check_signature(request, known.secret, self.exchange.now())
        return account

    def _note(self, account: Account, request: Request) -> None:
        """Keep that a request to place or cancel arrived, whatever comes of it."""
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
            at=iso(self.exchange.now()),
        )

    def _fees(self, account: Account, order: Order, quantity: Decimal, price: Decimal) -> tuple[Decimal, str]:
        return fees(account, order, quantity, price, self.exchange.price("BNBUSDT"))

    def _resume_clock(self) -> None:
        """Go on at the time that the ledger was left at, where its clock had been set."""
        left = self.exchange.state.clock
        if left is None:
            return
        at: datetime = parse_time(left["at"])
        if left["runs"]:
            self.clock.run(at)
        else:
            self.clock.stand(at)

    def _usual_accounts(self) -> None:
        cash = {"USD": Decimal(100_000)}
        coins = {"USDT": Decimal(100_000), "BNB": Decimal(10)}
        self.add_account(ALPACA, "paper", "PA3SIMULATED", PAPER_KEY, PAPER_SECRET, deposit=cash)
        self.add_account(ALPACA, "live", "910000001", LIVE_KEY, LIVE_SECRET, deposit=cash)
        self.add_account(BINANCE, "live", "354937868", BINANCE_KEY, BINANCE_SECRET, deposit=coins)
        self.add_account(BINANCE, "paper", "354937869", DEMO_KEY, DEMO_SECRET, deposit=coins)

"""Many histories, one after the other, and what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.simulation.history import History
from trading_lib.execution.simulation.judge import Verdict, judge

SESSION = date(2026, 3, 2)
SYMBOLS = ("SPY", "QQQ", "TLT")
# How often a campaign tells how far it has come.
STEP = 5000


def make_orders() -> tuple[Order, ...]:
    """Return the orders of every history; a history takes the first few."""
    ten, price = Decimal(10), Decimal(100)
    return tuple(
        Order(
            client_order_id("simulated", SESSION, symbol, Side.BUY),
            "simulated",
            SESSION,
            symbol,
            Side.BUY,
            ten,
            price,
            Decimal(0),
            0.1,
            OrderPurpose.REBALANCE,
            "simulation",
        )
        for symbol in SYMBOLS
    )


ORDERS = make_orders()


@dataclass(slots=True)
class Campaign:
    """The result of many histories.

    Attributes
    ----------
    digest
        Of all histories; the same code and seeds have the same.
    first_failure
        The first seed that went wrong, with its verdict and what happened; None where none did.
    """

    seeds: int = 0
    events: int = 0
    crashes: int = 0
    duplicate_orders: int = 0
    lost_fills: int = 0
    phantom_positions: int = 0
    stuck: int = 0
    first_failure: dict[str, Any] | None = None
    digest: str = ""
    _hash: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, seed: int, history: History, verdict: Verdict) -> None:
        """Count a history."""
        self.seeds += 1
        self.events += history.events
        self.crashes += history.crashes
        self._hash.update(history.mark.to_bytes(8, "big", signed=True))
        if verdict.clean:
            return
        self.duplicate_orders += verdict.duplicate_orders
        self.lost_fills += verdict.lost_fills
        self.phantom_positions += verdict.phantom_positions
        self.stuck += verdict.stuck
        if self.first_failure is None:
            self.first_failure = {"seed": seed, **asdict(verdict)}

    def as_dict(self) -> dict[str, Any]:
        """All but what is on the way."""
        names = [name for name in self.__dataclass_fields__ if name not in ("_hash", "digest")]
        return {name: getattr(self, name) for name in names} | {"digest": self._hash.hexdigest()}


def play(seed: int, policy: SendingPolicy, traced: bool = False) -> tuple[History, Verdict]:
    """Play one history and judge it."""
    history = History(seed, ORDERS, policy, traced)
    history.play()
    return history, judge(history)


def run_campaign(
    seeds: range,
    policy: SendingPolicy | None = None,
    progress: Callable[[int], None] | None = None,
    until_failure: bool = False,
) -> Campaign:
    """Play the histories of seeds.

    Parameters
    ----------
    progress
        Called with the number of histories that were played.
    until_failure
        Whether the first that goes wrong is the last.
    """
    rules = policy or SendingPolicy()
    result = Campaign()
    for seed in seeds:
        history, verdict = play(seed, rules)
        result.add(seed, history, verdict)
        if progress is not None and result.seeds % STEP == 0:
            progress(result.seeds)
        if until_failure and not verdict.clean:
            break
    if result.first_failure is not None:
        traced, _ = play(result.first_failure["seed"], rules, traced=True)
        result.first_failure |= {"mark": traced.mark, "trace": traced.trace}
    return result

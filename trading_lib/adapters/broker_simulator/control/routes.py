"""``/simulator/...``: what a person or a test may ask for, by POST with JSON, and what the judge says, by GET."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.broker_simulator.control.actions import Actions, ControlError
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.broker_simulator.ledger.records import iso, parse_time, plain
from trading_lib.adapters.broker_simulator.messages import Reply, Request, json_reply
from trading_lib.domain.errors import TradingError

if TYPE_CHECKING:
    from trading_lib.adapters.broker_simulator.simulator import Simulator

Asked = Mapping[str, Any]


class Control:
    """Answers of the control face.

    Parameters
    ----------
    simulator
        What it controls.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._actions = Actions(simulator)
        actions = self._actions
        self._posts: Mapping[str, Callable[[Asked], Any]] = {
            "prices": actions.prices,
            "clock": self._clock,
            "open": self._open,
            "close": lambda asked: self._simulator.exchange.close_market(),
            "halt": actions.halt,
            "assets": actions.assets,
            "dividend": actions.dividend,
            "split": actions.split,
            "liquidate": actions.liquidate,
            "trade": actions.trade,
            "fill": actions.fill,
            "reject": actions.reject,
            "bust": actions.bust,
            "correct": actions.correct,
            "deposit": actions.deposit,
            "settings": actions.settings,
            "accounts": actions.accounts,
            "switch": actions.switch,
            "faults": self._faults,
            "disconnect": lambda asked: self._simulator.updates.close_all(),
        }
        self._gets: Mapping[str, Callable[[str | None], Any]] = {
            "status": lambda account: self.status(),
            "orders": lambda account: self._simulator.judge().orders(account),
            "executions": lambda account: self._simulator.judge().executions(account),
            "positions": lambda account: self._simulator.judge().positions(account),
            "duplicates": lambda account: self._simulator.judge().duplicates(account),
            "twins": lambda account: self._simulator.judge().twins(account),
            "requests": lambda account: self._simulator.judge().received(account),
        }

    def answer(self, request: Request) -> Reply:
        """Answer a request to the control face."""
        name = request.path.removeprefix("/simulator/")
        try:
            if request.method == "GET" and name in self._gets:
                number = request.parameters.get("account")
                account = None if number is None else self._actions.account(number).id
                return json_reply(self._gets[name](account))
            if request.method == "POST" and name in self._posts:
                done = self._posts[name](request.json)
                return json_reply({"done": name, **(done or {})})
        except (TradingError, ControlError) as error:
            return json_reply({"error": str(error)}, 400)
        except (KeyError, InvalidOperation, ValueError, TypeError) as error:
            return json_reply({"error": f"{name}: {type(error).__name__}: {error}"}, 400)
        known = {"GET": sorted(self._gets), "POST": sorted(self._posts)}
        return json_reply({"error": f"there is no {request.method} {request.path}", **known}, 404)

    def status(self) -> dict[str, Any]:
        """Return what stands: time, accounts, faults that struck."""
        simulator, exchange = self._simulator, self._simulator.exchange
        return {
            "now": iso(exchange.now()),
            "clock_runs": simulator.clock.runs,
            "market_open": exchange.is_open(),
            "seed": simulator.seed,
            "ledger": None if simulator.ledger.path is None else str(simulator.ledger.path),
            "events": len(simulator.ledger.events),
            "orders": len(exchange.state.orders),
            "open_orders": len(exchange.state.open),
            "executions": len(exchange.state.executions),
            "faults_struck": simulator.faults.counts,
            "accounts": [
                {
                    "face": each.face,
                    "endpoint": each.endpoint,
                    "number": each.number,
                    "balances": {asset: plain(units) for asset, units in sorted(each.balances.items()) if units},
                }
                for each in exchange.state.accounts.values()
            ],
        }

    def _clock(self, asked: Asked) -> dict[str, Any]:
        simulator, before = self._simulator, self._simulator.clock.now()
        if "advance" in asked:
            simulator.clock.move(timedelta(seconds=float(asked["advance"])))
        elif "to" in asked:
            # Everything between now and then happens on the way.
            self._move_to(parse_time(str(asked["to"])))
        elif asked.get("runs"):
            simulator.clock.run(parse_time(str(asked["at"])) if "at" in asked else simulator.clock.now())
        else:
            simulator.clock.stand(parse_time(str(asked["at"])) if "at" in asked else simulator.clock.now())
        if simulator.clock.now() < before:
            simulator.exchange.turn_back()
        simulator.exchange.run_until(simulator.clock.now())
        at = iso(simulator.clock.now())
        simulator.exchange.record("clock", at=at, runs=simulator.clock.runs)
        return {"now": at}

    def _move_to(self, at: datetime) -> None:
        ahead = at - self._simulator.clock.now()
        if ahead < timedelta(0):
            raise ControlError(f"clock: {iso(at)} has passed; use `at` to set it back")
        self._simulator.clock.move(ahead)

    def _open(self, asked: Asked) -> None:
        exchange = self._simulator.exchange
        exchange.opening_portions = {
            symbol: Decimal(str(share)) for symbol, share in dict(asked.get("portions", {})).items()
        }
        for symbol, price in dict(asked.get("prices", {})).items():
            exchange.record("price", symbol=symbol, price=str(Decimal(str(price))))
        exchange.open_market()
        exchange.opening_portions = {}

    def _faults(self, asked: Asked) -> None:
        self._simulator.use_script(read_script(dict(asked), "faults"))

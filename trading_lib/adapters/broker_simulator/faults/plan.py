"""Which faults strike a request or an event, and what they change: one story for a script and a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from trading_lib.adapters.broker_simulator.faults.answers import (
    code_reply,
    html_reply,
    is_booked,
    status_reply,
    truncated,
    with_status,
)
from trading_lib.adapters.broker_simulator.faults.script import METHODS, REQUEST_FAULTS, STREAM_FAULTS, Rule, Script
from trading_lib.adapters.broker_simulator.ledger.records import BINANCE
from trading_lib.adapters.broker_simulator.messages import Reply, Request

Change = Callable[[Reply], Reply]
ORDER_PATHS = ("/v2/orders", "/api/v3/order")


@dataclass
class Plan:
    """What happens to one request.

    Attributes
    ----------
    instead
        Answer without anything being done.
    late
        Seconds after which the request is carried out, while its connection is closed at once.
    terms
        What is added to the order that it books.
    cancel
        How a cancellation goes: ``seconds`` until it is done, ``portion`` that fills before it.
    changes
        What becomes of the answer, in this order.
    struck
        Names of the faults.
    """

    instead: Reply | None = None
    late: float | None = None
    terms: dict[str, Any] = field(default_factory=dict)
    invisible: float = 0.0
    cancel: dict[str, float] = field(default_factory=dict)
    skew: timedelta = timedelta(0)
    other_account: bool = False
    changes: list[Change] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)


class Faults:
    """A script at work.

    Parameters
    ----------
    seed
        Of the chances, where the script has none of its own.
    now
        The simulated time.
    """

    def __init__(self, script: Script, seed: int, now: Callable[[], datetime]) -> None:
        self.script = script
        self._now, self._began = now, now()
        self._seed = script.seed if script.seed is not None else seed
        self._matched = [0] * len(script.faults)
        self._struck = [0] * len(script.faults)
        self._requests = 0
        self._events = 0
        # Fault -> how often it struck.
        self.counts: dict[str, int] = {}

    def plan(self, face: str, request: Request) -> Plan:
        """Return what happens to a request."""
        self._requests += 1
        plan = Plan()
        for rule in (*self._rules(face, request), *self._drawn(face, request)):
            self._add(plan, rule, face)
            plan.struck.append(rule.do)
            self.counts[rule.do] = self.counts.get(rule.do, 0) + 1
        return plan

    def of_event(self, event: str, symbol: str, client_order_id: str) -> list[str]:
        """Return the faults that strike an event of the stream."""
        self._events += 1
        struck: list[str] = [
            rule.do
            for number, rule in enumerate(self.script.faults)
            if rule.do in STREAM_FAULTS
            and fnmatchcase(event, rule.event)
            and fnmatchcase(symbol, rule.symbol)
            and fnmatchcase(client_order_id, rule.client_order_id)
            and self._counts(number, rule)
        ]
        struck += [rule.do for rule in self._chances("event", self._events, STREAM_FAULTS)]
        for name in struck:
            self.counts[name] = self.counts.get(name, 0) + 1
        return struck

    def _rules(self, face: str, request: Request) -> Iterator[Rule]:
        for number, rule in enumerate(self.script.faults):
            if rule.do in REQUEST_FAULTS and _matches(rule, face, request) and self._counts(number, rule):
                yield rule

    def _counts(self, number: int, rule: Rule) -> bool:
        """Count a match, and say whether the rule strikes it."""
        elapsed = (self._now() - self._began).total_seconds()
        if elapsed < rule.start or (rule.stop is not None and elapsed >= rule.stop):
            return False
        self._matched[number] += 1
        if rule.nth is not None and self._matched[number] not in rule.nth:
            return False
        if rule.times is not None and self._struck[number] >= rule.times:
            return False
        self._struck[number] += 1
        return True

    def _drawn(self, face: str, request: Request) -> Iterator[Rule]:
        chances = self.script.random
        if chances is None or request.method not in chances.methods:
            return
        for rule in self._chances("request", self._requests, REQUEST_FAULTS):
            if METHODS.get(rule.do, request.method) == request.method and (rule.do != "code" or face == BINANCE):
                yield rule

    def _chances(self, what: str, number: int, possible: tuple[str, ...]) -> Iterator[Rule]:
        chances = self.script.random
        if chances is None:
            return
        drawn = Random(f"{self._seed}/{what}/{number}")  # noqa: S311 - a story to repeat, nothing secret
        for name, chance in chances.chances.items():
            # Both are drawn whatever comes of it, so that another chance leaves the rest of the story as it was.
            strikes, share = drawn.random() < chance, drawn.random()
            if name in possible and strikes:
                yield _rule_by_chance(name, share, chances.seconds)

    def _add(self, plan: Plan, rule: Rule, face: str) -> None:
        """Add what a fault does to a plan."""
        name = rule.do
        if name == "drop_before":
            plan.instead = Reply(0, dropped=True)
        elif name == "unreachable":
            plan.instead = Reply(0, dropped=True, unreachable=True)
        elif name == "late":
            plan.late = rule.lasting
        elif name in ("status", "code", "accept_then_504"):
            self._answer_otherwise(plan, rule, face)
        elif name == "invisible":
            plan.invisible = rule.lasting
            plan.terms["fills_hidden"] = rule.fills_hidden
        elif name == "partial":
            plan.terms["portion"] = str(rule.portion)
        elif name == "slow_cancel":
            plan.cancel["seconds"] = rule.lasting
        elif name == "fill_on_cancel":
            plan.cancel["portion"] = rule.portion
        elif name == "other_account":
            plan.other_account = True
        elif name == "clock_skew":
            plan.skew = timedelta(seconds=rule.lasting)
        else:
            plan.changes.append(_change(rule, face))

    @staticmethod
    def _answer_otherwise(plan: Plan, rule: Rule, face: str) -> None:
        if rule.do == "code":
            reply = code_reply(rule.code or 0)
            booked = is_booked(rule.code or 0) if rule.booked is None else rule.booked
        elif rule.do == "status":
            reply, booked = status_reply(face, rule.status or 500, rule.retry_after), bool(rule.booked)
        else:
            reply, booked = html_reply(504), True
        if booked:
            plan.changes.append(lambda _: reply)
        else:
            plan.instead = reply


def _change(rule: Rule, face: str) -> Change:
    """Return what a fault makes of an answer."""
    seconds = rule.lasting
    changes: dict[str, Change] = {
        "accept_then_drop": lambda reply: replace(reply, dropped=True),
        "delay": lambda reply: replace(reply, delay=reply.delay + seconds),
        "truncated_body": truncated,
        "cut_body": lambda reply: replace(reply, cut=True),
        "empty_body": lambda reply: replace(reply, body=b""),
        "html_body": lambda reply: html_reply(200),
        "unknown_status": lambda reply: with_status(face, reply, rule.word),
    }
    return changes[rule.do]


def _rule_by_chance(name: str, share: float, longest: float) -> Rule:
    """Return a fault whose particulars are drawn too."""
    given: dict[str, Any] = {"do": name, "seconds": round(share * longest, 3)}
    if name == "status":
        given["status"] = (429, 500, 502, 503, 504)[int(share * 5)]
        given["booked"] = int(share * 50) % 2 == 1
    elif name == "code":
        given["code"] = (-1000, -1001, -1006, -1007, -1008)[int(share * 5)]
    elif name in ("partial", "fill_on_cancel"):
        given["portion"] = min(0.9, max(0.1, round(share, 1)))
    return Rule.model_validate(given)


def _matches(rule: Rule, face: str, request: Request) -> bool:
    return (
        rule.face in ("any", face)
        and rule.struck_method in ("any", request.method)
        and (fnmatchcase(request.path, rule.path) if rule.path != "*" else _usual_path(rule, request))
        and (rule.client_order_id == "*" or fnmatchcase(_named(request, IDS), rule.client_order_id))
        and (rule.symbol == "*" or fnmatchcase(_named(request, ("symbol",)), rule.symbol))
    )


IDS = ("client_order_id", "newClientOrderId", "origClientOrderId")


def _usual_path(rule: Rule, request: Request) -> bool:
    """Whether a fault without a path strikes: those of bookings strike orders, the others anything."""
    return METHODS.get(rule.do) not in ("POST", "DELETE") or request.path.startswith(ORDER_PATHS)


def _named(request: Request, names: tuple[str, ...]) -> str:
    """Return what a request says under one of ``names``, in its query, its form or its JSON."""
    given: dict[str, Any] = dict(request.form)
    if request.body.lstrip().startswith(b"{"):
        given.update(request.json)
    return next((str(given[name]) for name in names if given.get(name)), "")

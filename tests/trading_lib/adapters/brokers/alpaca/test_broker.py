"""Alpaca's adapter keeps the contract on the broker simulator, through the real alpaca-py."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from tests.builders.markets import UNIVERSE
from tests.contracts.broker_contract import BrokerContract, BrokerHarness
from tests.contracts.priced_order_contract import PricedHarness, PricedOrderContract
from tests.peers.brokers.alpaca_account import EVENING, AlpacaAccount
from trading_lib.adapters.broker_simulator.faults.script import REQUEST_FAULTS, read_script
from trading_lib.adapters.broker_simulator.simulator import LIVE_KEY, LIVE_SECRET
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.domain.book.orders import Order, OrderType, Side, TimeInForce
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import (
    Answer,
    Broker,
    BrokerStatus,
    ClearedOrder,
    Outcome,
    Preflights,
    Seen,
    TellsTime,
)

Result = TypeVar("Result")


class TestAlpaca(BrokerContract):
    @pytest.fixture
    def harness(self) -> BrokerHarness:
        return AlpacaAccount()


class TestAlpacaPricedOrders(PricedOrderContract):
    @pytest.fixture
    def harness(self) -> PricedHarness:
        return AlpacaAccount()


def run(awaitable: Awaitable[Result]) -> Result:
    async def awaited() -> Result:
        return await awaitable

    return asyncio.run(awaited())


def open_at(account: AlpacaAccount, at: datetime) -> None:
    account.clock.stand(at)


def submitted(account: AlpacaAccount, symbol: str = "SPY", **changes: Any) -> tuple[Order, Answer]:
    sent = replace(account.order(AssetClass.US_ETF), symbol=symbol, **changes)
    return sent, run(account.adapter.submit(ClearedOrder(sent)))


def test_it_is_a_broker_that_tells_time_and_preflights() -> None:
    adapter = AlpacaAccount().adapter
    assert isinstance(adapter, Broker)
    assert isinstance(adapter, Preflights)
    assert isinstance(adapter, TellsTime)
    assert run(adapter.server_time()) == EVENING


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"status": "ACCOUNT_CLOSED"}, "is ACCOUNT_CLOSED, not ACTIVE"),
        ({"status": "LIMITED"}, "is LIMITED"),
        ({"trading_blocked": True}, "blocked trading"),
        ({"account_blocked": True}, "blocked the account"),
        ({"suspend_trade": True}, "suspended in the account's own settings"),
    ],
)
def test_a_blocked_account_is_refused_at_connecting_and_nothing_is_sent(settings: dict[str, Any], problem: str) -> None:
    account = AlpacaAccount()
    account.booked.settings.update(settings)
    with pytest.raises(BrokerUnavailableError, match=problem):
        run(account.broker.connect())
    with pytest.raises(BrokerUnavailableError, match=problem):
        submitted(account)
    assert account.simulator.judge().orders() == []


@pytest.mark.parametrize("name", ["number", "id"])
def test_the_configured_account_is_told_by_its_number_or_its_id(name: str) -> None:
    booked = AlpacaAccount().booked
    account = AlpacaAccount(account=getattr(booked, name))
    assert run(account.broker.account()).account == getattr(booked, name)


def test_keys_of_another_account_are_refused_without_showing_it() -> None:
    account = AlpacaAccount(account="PA3ANOTHER")
    for ask in (account.broker.connect, account.broker.positions, lambda: account.broker.fills_since("")):
        with pytest.raises(BrokerUnavailableError, match="another account") as caught:
            run(ask())
        assert account.booked.number not in str(caught.value)
    with pytest.raises(BrokerUnavailableError, match="another account"):
        submitted(account)
    assert account.simulator.judge().orders() == []


def test_paper_keys_do_not_open_the_live_endpoint() -> None:
    with pytest.raises(BrokerUnavailableError, match="ALPACA_API_KEY_ID at its live endpoint"):
        run(AlpacaAccount(endpoint="live").broker.connect())


def test_live_keys_trade_on_the_live_endpoint() -> None:
    keys = {"ALPACA_API_KEY_ID": LIVE_KEY, "ALPACA_API_SECRET_KEY": LIVE_SECRET}
    account = AlpacaAccount(endpoint="live", environment=keys)
    assert submitted(account)[1].outcome is Outcome.ACCEPTED
    assert [one.account for one in account.simulator.exchange.state.orders.values()] == [account.booked.id]


@pytest.mark.parametrize(
    "changes",
    [
        {"order_type": OrderType.LIMIT, "limit_price": Decimal("100.25")},
        {"order_type": OrderType.LIMIT, "limit_price": Decimal("100.25"), "time_in_force": TimeInForce.DAY},
        {"order_type": OrderType.STOP, "stop_price": Decimal("9000"), "time_in_force": TimeInForce.UNTIL_CANCELLED},
        {
            "order_type": OrderType.STOP_LIMIT,
            "stop_price": Decimal("900"),
            "limit_price": Decimal("901"),
            "time_in_force": TimeInForce.DAY,
        },
    ],
)
def test_every_order_type_arrives_with_its_prices(changes: dict[str, Any]) -> None:
    account = AlpacaAccount()
    sent, answer = submitted(account, **changes)
    assert answer.outcome is Outcome.ACCEPTED, answer
    (booked,) = account.simulator.exchange.state.orders.values()
    told = (booked.limit_price, booked.stop_price, booked.quantity, booked.type, booked.time_in_force)
    in_force = {TimeInForce.OPENING: "opg", TimeInForce.DAY: "day", TimeInForce.UNTIL_CANCELLED: "gtc"}
    expected = (sent.order_type.lower(), in_force[sent.time_in_force])
    assert told == (sent.limit_price, sent.stop_price, sent.quantity, *expected)


def test_an_opening_order_in_parts_is_a_market_order_of_the_day_that_trades_after_the_opening() -> None:
    account = AlpacaAccount()
    sent, answer = submitted(account, quantity=Decimal("10.123456789"))
    assert answer.outcome is Outcome.ACCEPTED
    (booked,) = account.simulator.exchange.state.orders.values()
    assert (booked.time_in_force, booked.quantity) == ("day", sent.quantity)
    account.opening()
    (fill,) = run(account.broker.fills_since("")).fills
    assert (fill.quantity, fill.client_order_id) == (sent.quantity, sent.client_order_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_type": OrderType.LIMIT, "limit_price": Decimal(1)},
        {"time_in_force": TimeInForce.UNTIL_CANCELLED},
    ],
)
def test_parts_that_alpaca_would_refuse_are_not_sent(changes: dict[str, Any]) -> None:
    account = AlpacaAccount()
    _, answer = submitted(account, quantity=Decimal("1.5"), **changes)
    assert answer.outcome is Outcome.REJECTED
    assert account.simulator.judge().orders() == []


def test_parts_of_what_the_universe_trades_in_whole_units_are_not_sent() -> None:
    account = AlpacaAccount(instruments=UNIVERSE.instruments)
    _, answer = submitted(account, quantity=Decimal("1.5"))
    assert (answer.outcome, "whole units" in answer.reason) == (Outcome.REJECTED, True)


def test_an_order_outside_the_window_is_rejected_with_alpacas_reason() -> None:
    account = AlpacaAccount()
    open_at(account, EVENING - timedelta(hours=3))
    _, answer = submitted(account)
    assert (answer.outcome, "opg orders" in answer.reason) == (Outcome.REJECTED, True)
    assert (account.broker.capabilities.send_from, account.broker.capabilities.send_until) == (time(19), time(9, 28))


def test_orders_of_both_sides_of_one_asset_are_refused_while_the_first_is_open() -> None:
    account = AlpacaAccount()
    submitted(account)
    account.opening()
    account.end_of_day()
    submitted(account, side=Side.SELL)
    _, answer = submitted(account, side=Side.BUY)
    assert answer.outcome is Outcome.REJECTED
    assert "an order of the other side of this asset is open" in answer.reason


def test_what_cannot_be_paid_or_is_not_held_is_rejected_with_the_reason() -> None:
    account = AlpacaAccount()
    assert "insufficient buying power" in submitted(account, quantity=Decimal(100_000))[1].reason
    _, short = submitted(account, side=Side.SELL)
    assert (short.outcome, "insufficient qty" in short.reason) == (Outcome.REJECTED, True)


def test_calls_do_not_hold_up_the_event_loop() -> None:
    """While Alpaca is asked, other tasks run: the session waits for one of them."""
    released = threading.Event()

    class Waiting(BoundedSession):
        def send(self, request: Any, **options: Any) -> Any:
            assert released.wait(10), "the loop was held up"
            return super().send(request, **options)

    account = AlpacaAccount(Waiting)

    async def both() -> None:
        asked = asyncio.create_task(account.broker.account())
        await asyncio.sleep(0)
        released.set()
        await asked

    asyncio.run(both())


def test_an_order_that_fills_in_parts_is_told_part_by_part() -> None:
    account = AlpacaAccount()
    exchange = account.simulator.exchange
    exchange.opening_portions["SPY"] = Decimal("0.4")
    sent, _ = submitted(account, time_in_force=TimeInForce.DAY)
    exchange.open_market()
    exchange.halted.add("SPY")
    found = run(account.broker.find(sent.client_order_id)).order
    assert found is not None
    assert (found.status, found.filled, found.quantity) == (BrokerStatus.PARTIALLY_FILLED, Decimal(4), Decimal(10))
    assert run(account.broker.open_orders()) == (found,)
    first = run(account.broker.fills_since(""))
    exchange.halted.clear()
    exchange.match_all("SPY")
    rest = run(account.broker.fills_since(first.cursor))
    assert [fill.quantity for fill in (*first.fills, *rest.fills)] == [Decimal(4), Decimal(6)]
    assert len({fill.trade_id for fill in (*first.fills, *rest.fills)}) == 2
    done = run(account.broker.find(sent.client_order_id)).order
    assert done is not None
    assert (done.status, done.filled) == (BrokerStatus.FILLED, Decimal(10))


def test_the_rest_of_an_opening_order_that_filled_in_part_ends() -> None:
    account = AlpacaAccount()
    account.simulator.exchange.opening_portions["SPY"] = Decimal("0.4")
    sent, _ = submitted(account)
    account.opening()
    found = run(account.broker.find(sent.client_order_id)).order
    assert found is not None
    assert (found.status.is_open, found.filled, bool(found.reason)) == (False, Decimal(4), True)
    assert run(account.broker.open_orders()) == ()
    assert run(account.broker.closed_orders(EVENING)) == (found,)


def test_an_answer_about_another_account_in_between_is_no_answer() -> None:
    account = AlpacaAccount()
    run(account.broker.connect())
    script = [{"do": "other_account", "face": "alpaca", "path": "/v2/account"}]
    account.simulator.use_script(read_script(script, "test"))
    with pytest.raises(BrokerUnavailableError, match="another account"):
        run(account.broker.account())


def tried(account: AlpacaAccount, order: Order) -> Answer:
    """The outcome of sending an order; an error says that nothing was sent, which must be true."""
    # Requests that arrived: an order that was sent before may be booked only now.
    before = len(account.simulator.judge().received())
    try:
        return run(account.broker.submit(ClearedOrder(order)))
    except BrokerUnavailableError as error:
        assert len(account.simulator.judge().received()) == before
        return Answer(Outcome.UNKNOWN, reason=error.problem)


@pytest.mark.parametrize("fault", [one for one in REQUEST_FAULTS if one not in ("code", "clock_skew")])
def test_whatever_happens_on_the_way_the_outcome_agrees_with_what_was_booked(fault: str) -> None:
    account = AlpacaAccount()
    run(account.broker.connect())
    rule = {"do": fault, "face": "alpaca", "path": "*orders*", "seconds": 1, "status": 503}
    account.simulator.use_script(read_script([rule], "test"))
    sent = [account.order(AssetClass.US_ETF) for _ in range(3)]
    told = [tried(account, one) for one in (*sent, *sent)]
    looked = [run(account.broker.find(one.client_order_id)) for one in sent]
    booked = {one["client_order_id"] for one in account.simulator.judge().orders()}
    assert account.simulator.judge().duplicates() == []
    for one, answer in zip((*sent, *sent), told, strict=True):
        assert answer.outcome is not Outcome.REJECTED
        assert answer.outcome is Outcome.UNKNOWN or one.client_order_id in booked
    for one, found in zip(sent, looked, strict=True):
        assert found.seen is not Seen.FOUND or one.client_order_id in booked
        # What is invisible, late or asked of the wrong account is not found, which proves nothing.
        unproved = fault in ("invisible", "late", "other_account")
        assert found.seen is not Seen.NOT_FOUND or one.client_order_id not in booked or unproved


@pytest.mark.parametrize("seed", range(40))
def test_by_chance_too_nothing_is_booked_twice_and_every_outcome_agrees(seed: int) -> None:
    account = AlpacaAccount()
    run(account.broker.connect())
    chances = {name: 0.12 for name in REQUEST_FAULTS if name not in ("code", "clock_skew", "other_account")}
    script = {"seed": seed, "random": {"chances": chances, "seconds": 20}}
    account.simulator.use_script(read_script(script, "test"))
    sent = [account.order(AssetClass.US_ETF) for _ in range(4)]
    told = [tried(account, one) for one in (*sent, *sent)]
    for one in sent[:2]:
        run(account.broker.cancel(one.client_order_id))
    account.simulator.use_script(read_script([], "test"))
    account.opening()
    # What has been asked of it has happened by then.
    fills = run(account.broker.fills_since("")).fills
    judge = account.simulator.judge()
    booked = {one["client_order_id"]: one for one in judge.orders()}
    assert judge.duplicates() == []
    for one, answer in zip((*sent, *sent), told, strict=True):
        assert answer.outcome is not Outcome.REJECTED
        assert answer.outcome is Outcome.UNKNOWN or one.client_order_id in booked
    # Later, when nothing goes wrong any more, all is found as it was booked.
    for one in sent:
        found = run(account.broker.find(one.client_order_id))
        assert (found.seen is Seen.FOUND) is (one.client_order_id in booked)
        if found.order is not None:
            assert found.order.filled == booked[one.client_order_id]["filled"]
    assert sorted(fill.trade_id.partition("::")[2] for fill in fills) == sorted(one["id"] for one in judge.executions())
    assert run(account.broker.positions()) == {
        symbol: units for symbol, units in judge.positions(account.booked.id).items() if symbol != "USD"
    }


def test_a_trade_that_is_struck_is_told_by_the_id_of_its_fill() -> None:
    account = AlpacaAccount()
    submitted(account)
    account.opening()
    before = run(account.broker.fills_since(""))
    (execution,) = account.simulator.exchange.state.executions
    account.simulator.exchange.undo(execution)
    after = run(account.broker.fills_since(before.cursor))
    assert ([bust.trade_id for bust in after.busts], after.fills) == ([before.fills[0].trade_id], ())

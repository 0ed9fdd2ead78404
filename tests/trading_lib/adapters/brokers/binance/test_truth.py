"""Whatever happens on the way: what the adapter says is true by the exchange's own ledger, or it says unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.peers.binance_account import BITCOIN, BinanceAccount, Happening, Said, Spoil
from trading_lib.adapters.broker_simulator.ledger.records import Order as Booked
from trading_lib.domain.book.orders import Order
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerStatus, Outcome, Seen

Result = TypeVar("Result")
RESET = requests.ConnectionError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
SLOW = requests.ReadTimeout("Read timed out.")
NEVER_ARRIVED: list[Happening] = [
    RESET,
    SLOW,
    Said(500, ""),
    Said(502, "<html>"),
    Said(503, '{"code":-1008,"msg":"Server is currently overloaded with other requests."}'),
    Said(429, "{}", {"Retry-After": "1"}),
    Said(418, "{}", {"Retry-After": "2"}),
    Said(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'),
    Said(400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'),
    Said(200, "<html>Please log in to the hotel's network</html>"),
    Said(302, "", {"Location": "https://hotel.example"}),
    Said(200, ""),
]
SPOILED: list[Spoil] = [
    lambda body: RESET,
    lambda body: SLOW,
    lambda body: Said(504, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'),
    lambda body: Said(400, '{"code":-1000,"msg":"An unknown error occurred while processing the request."}'),
    lambda body: Said(200, body[: len(body) // 2]),
    lambda body: Said(200, b""),
    lambda body: Said(200, b"<html>" + body + b"</html>"),
    lambda body: Said(200, b"[" + body + b"]"),
]
FATES = st.lists(st.one_of(st.none(), st.none(), st.sampled_from([*NEVER_ARRIVED, *SPOILED])), max_size=12)


def asked(question: Awaitable[Result]) -> Result | None:
    """What a question is answered with, None where nothing can be said."""

    async def ask() -> Result:
        return await question

    try:
        return asyncio.run(ask())
    except BrokerUnavailableError:
        return None


def booked(account: BinanceAccount, order: Order) -> list[Booked]:
    orders = account.simulator.exchange.state.orders.values()
    return [each for each in orders if each.client_order_id == order.client_order_id]


def calm(account: BinanceAccount) -> None:
    account.way.fates.clear()
    account._monotonic += 3_600


@settings(max_examples=80)
@given(first=FATES, second=FATES, rests=st.booleans())
def test_what_it_says_of_an_order_is_true_or_unknown(
    first: list[Happening | Spoil | None], second: list[Happening | Spoil | None], rests: bool
) -> None:
    account = BinanceAccount((BITCOIN,), resting=rests)
    order = account.order()
    account.way.fates += first
    answer = asked(account.broker.submit(account.intend(order)))
    there = booked(account, order)
    assert len(there) <= 1
    assert len(account.way.sent("POST", "/order")) <= 1
    if answer is None:
        assert there == [], "it said that nothing was sent"
    else:
        assert answer.outcome is not Outcome.REJECTED
        if answer.outcome is Outcome.ACCEPTED:
            assert [each.id for each in there] == [answer.broker_order_id]
    account.way.fates += second
    found = asked(account.broker.find(order.client_order_id))
    if found is not None and found.seen is not Seen.UNKNOWN:
        assert (found.seen is Seen.FOUND) is bool(there)
    calm(account)
    found = asked(account.broker.find(order.client_order_id))
    assert found is not None
    assert (found.seen is Seen.FOUND) is bool(there)


@settings(max_examples=50)
@given(fates=FATES, rests=st.booleans())
def test_what_it_says_of_a_cancellation_is_true_or_unknown(fates: list[Happening | Spoil | None], rests: bool) -> None:
    account = BinanceAccount((BITCOIN,), resting=rests)
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.fates += fates
    answer = asked(account.broker.cancel(order.client_order_id))
    (there,) = booked(account, order)
    assert len(account.way.sent("DELETE", "/order")) <= 1
    if answer is None:
        assert there.is_open is rests
    elif answer.outcome is Outcome.ACCEPTED:
        assert there.status == "canceled"
    elif answer.outcome is Outcome.REJECTED:
        assert not there.is_open
    calm(account)
    found = asked(account.broker.find(order.client_order_id))
    assert found is not None
    assert found.order is not None
    assert (found.order.status in (BrokerStatus.WORKING, BrokerStatus.PARTIALLY_FILLED)) is there.is_open


@settings(max_examples=50)
@given(fates=st.lists(FATES, min_size=1, max_size=4))
def test_lists_are_whole_or_there_is_none(fates: list[list[Happening | Spoil | None]]) -> None:
    account = BinanceAccount((BITCOIN,), resting=False)
    cursor, told = "", list[str]()
    for happenings in fates:
        asyncio.run(account.broker.submit(account.intend(account.order())))
        account.way.fates += happenings
        page = asked(account.broker.fills_since(cursor))
        if page is not None:
            told += [fill.trade_id for fill in page.fills]
            cursor = page.cursor
            executions = account.simulator.exchange.state.executions
            assert told == [f"BTCUSDT-{each.number}" for each in executions]
        owner = account.simulator.exchange.state.accounts[account.simulator.exchange.state.executions[0].account]
        held, balances = asked(account.broker.positions()), asked(account.broker.account())
        assert held in (None, {"BTC-USD": owner.balance("BTC")})
        assert balances is None or balances.cash == owner.balance("USDT").quantize(balances.cash)
        calm(account)
    whole = asked(account.broker.fills_since(""))
    assert whole is not None
    assert [fill.trade_id for fill in whole.fills][: len(told)] == told

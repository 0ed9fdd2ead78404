"""Paging through fills: whatever arrives meanwhile, late or at the same instant, each fill is told once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.binance_account import BITCOIN, ETHER, BinanceAccount, Said
from trading_lib.adapters.brokers.binance import histories
from trading_lib.adapters.brokers.binance.fill_cursor import MOST_REMEMBERED, OVERLAP, FillCursor, Told
from trading_lib.domain.errors import BrokerUnavailableError, InputError

START = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class Tape:
    """The account's trades at Binance: each is shown from a step on, and every question is a step."""

    # (pair, number, seconds after the start) -> step from which it is shown
    trades: dict[tuple[str, int, int], int]
    step: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)

    def page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        self.asked.append(query)
        self.step += 1
        shown = [
            _trade(pair, number, seconds)
            for (pair, number, seconds), since in self.trades.items()
            if since < self.step and pair == query["symbol"] and number >= int(query["fromId"])
        ]
        return sorted(shown, key=lambda trade: trade["id"])[: int(query["limit"])]


def _trade(pair: str, number: int, seconds: int) -> dict[str, Any]:
    at = START + timedelta(seconds=seconds)
    return {
        "symbol": pair,
        "id": number,
        "orderId": number // 3,
        "price": "3000.00",
        "qty": "0.1",
        "commission": "0.3",
        "commissionAsset": "USDT",
        "time": int(at.timestamp() * 1000),
        "isBuyer": True,
    }


class TapeAccount(BinanceAccount):
    """An account whose lists of trades are a tape's."""

    def __init__(self, tape: Tape) -> None:
        super().__init__((BITCOIN, ETHER))
        self.tape = tape
        self.way.send = self._answer  # type: ignore[method-assign]
        self._usual = type(self.way).send

    def _answer(self, request: Any, *positional: Any, **named: Any) -> Any:
        query = dict(parse_qsl(urlsplit(request.url).query))
        if request.url.partition("?")[0].endswith("/myTrades"):
            return self.way._happen(request, Said(200, json.dumps(self.tape.page(query))))
        if request.url.partition("?")[0].endswith("/allOrders"):
            numbers = {number // 3 for pair, number, _ in self.tape.trades if pair == query["symbol"]}
            orders = [
                {"symbol": query["symbol"], "orderId": number, "clientOrderId": f"order-{number}"}
                for number in sorted(numbers)
                if number >= int(query["orderId"])
            ]
            return self.way._happen(request, Said(200, json.dumps(orders[: int(query["limit"])])))
        return self._usual(self.way, request, *positional, **named)


# Few numbers and few instants, so that fills share a time and numbers lie close together.
SHOWN_LATE = 6
TAPES = st.dictionaries(
    st.tuples(st.sampled_from(["BTCUSDT", "ETHUSDT"]), st.integers(0, 40)), st.integers(0, SHOWN_LATE), max_size=30
).map(
    # Numbers follow times, as they do at Binance: some share one.
    lambda shown: Tape({(pair, number, number // 4): since for (pair, number), since in shown.items()})
)


@given(tape=TAPES, page=st.integers(1, 5), questions=st.integers(1, 4))
def test_every_fill_is_told_once_whenever_it_shows_up(tape: Tape, page: int, questions: int) -> None:
    account = TapeAccount(tape)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(histories, "PAGE", page)
        cursor, told = "", []
        for _ in range(questions):
            answer = asyncio.run(account.broker.fills_since(cursor))
            times = [fill.filled_at for fill in answer.fills]
            assert times == sorted(times)
            told += [fill.trade_id for fill in answer.fills]
            cursor = answer.cursor
            account.restart()
        tape.step = SHOWN_LATE + 1
        answer = asyncio.run(account.broker.fills_since(cursor))
        told += [fill.trade_id for fill in answer.fills]
        assert sorted(told) == sorted(f"{pair}-{number}" for pair, number, _ in tape.trades)
        # Nothing more is to come: the same question has the same answer, and a new reader is told everything.
        assert asyncio.run(account.broker.fills_since(answer.cursor)).fills == ()
        assert asyncio.run(account.broker.fills_since(cursor)) == answer
        whole = asyncio.run(account.broker.fills_since(""))
        assert whole.cursor == answer.cursor
        assert sorted(fill.trade_id for fill in whole.fills) == sorted(told)
        assert all(fill.client_order_id == f"order-{_number(fill.trade_id) // 3}" for fill in whole.fills)


def _number(trade_id: str) -> int:
    return int(trade_id.partition("-")[2])


@pytest.mark.parametrize("page", [1, 2, 3])
def test_pages_are_read_to_their_end_and_each_trade_once(page: int) -> None:
    tape = Tape({("BTCUSDT", number, number): 0 for number in range(7)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(histories, "PAGE", page)
        told = asyncio.run(TapeAccount(tape).broker.fills_since("")).fills
    assert [fill.trade_id for fill in told] == [f"BTCUSDT-{number}" for number in range(7)]


def test_a_trade_that_shows_after_one_with_a_higher_number_is_told() -> None:
    account = TapeAccount(Tape({("BTCUSDT", 5, 0): 0, ("BTCUSDT", 4, 0): 4}))
    first = asyncio.run(account.broker.fills_since(""))
    account.tape.step = 5
    second = asyncio.run(account.broker.fills_since(first.cursor))
    assert [[fill.trade_id for fill in told.fills] for told in (first, second)] == [["BTCUSDT-5"], ["BTCUSDT-4"]]


def test_fills_of_several_pairs_come_in_the_order_of_their_times() -> None:
    tape = Tape({("BTCUSDT", 1, 9): 0, ("ETHUSDT", 2, 5): 0, ("BTCUSDT", 0, 1): 0})
    told = asyncio.run(TapeAccount(tape).broker.fills_since("")).fills
    assert [fill.trade_id for fill in told] == ["BTCUSDT-0", "ETHUSDT-2", "BTCUSDT-1"]


CURSORS = st.dictionaries(
    st.sampled_from(["BTCUSDT", "ETHUSDT", "1000SATSUSDT"]),
    st.builds(
        lambda floor, above: Told(floor, frozenset(floor + number for number in above)),
        st.integers(-1, 10**12),
        st.sets(st.integers(1, 10**6), max_size=20),
    ),
).map(FillCursor)


@given(CURSORS)
def test_a_cursor_is_read_as_it_was_written(cursor: FillCursor) -> None:
    again = FillCursor.parse(str(cursor))
    assert str(again) == str(cursor)
    assert all(again.of(pair) == cursor.of(pair) for pair in cursor.pairs)


@pytest.mark.parametrize(
    "text", ["7", "BTCUSDT", "BTCUSDT:", "BTCUSDT:-1", "BTCUSDT:1+", "BTCUSDT:1;BTCUSDT:2", "btcusdt:1", "é:1", " "]
)
def test_a_cursor_of_somebody_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no cursor of fills at binance"):
        FillCursor.parse(text)


def test_old_trades_are_remembered_as_one_number_and_new_ones_one_by_one() -> None:
    trades = [(number, START + timedelta(minutes=number)) for number in range(60)]
    told = Told().after(trades)
    assert told.floor == 59 - OVERLAP // timedelta(minutes=1)
    assert told.later == frozenset(range(told.floor + 1, 60))
    assert len(str(FillCursor({"BTCUSDT": told}))) < 60


def test_what_was_told_stays_told_when_a_later_list_does_not_show_it() -> None:
    told = Told().after([(5, START)]).after([(7, START)])
    assert (told.knows(5), told.knows(6), told.knows(7)) == (True, False, True)


def test_a_busy_account_does_not_make_a_cursor_without_end() -> None:
    told = Told().after([(number, START) for number in range(0, 20_000, 2)])
    assert len(told.later) == MOST_REMEMBERED
    assert all(told.knows(number) for number in range(0, 20_000, 2))
    assert not told.knows(19_999)
    assert len(str(FillCursor({"BTCUSDT": told}))) < 4_000


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Said(200, "{}"), "no list"),
        (Said(200, "[1]"), "no list"),
        (Said(200, '[{"symbol":"ETHUSDT","id":1}]'), "not about BTCUSDT"),
        (Said(200, '[{"symbol":"BTCUSDT"}]'), "no id"),
        (Said(200, '[{"symbol":"BTCUSDT","id":"1"}]'), "no id"),
        (Said(200, "<html>"), "cannot be read"),
        (Said(500, ""), "HTTP 500"),
        (Said(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'), "BINANCE_API_KEY"),
    ],
)
def test_a_list_that_cannot_be_read_is_no_empty_list(said: Said, why: str) -> None:
    account = BinanceAccount()
    account.way.instead["GET", "myTrades"] = [said]
    with pytest.raises(BrokerUnavailableError, match=why):
        asyncio.run(account.broker.fills_since(""))


def test_pages_that_repeat_themselves_end_with_an_error_and_not_never() -> None:
    account = BinanceAccount()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(histories, "PAGE", 1)
        account.way.instead["GET", "myTrades"] = [Said(200, json.dumps([_trade("BTCUSDT", 5, 0)]))] * 9
        with pytest.raises(BrokerUnavailableError, match="repeats"):
            asyncio.run(account.broker.fills_since(""))

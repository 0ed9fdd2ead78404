"""Binance and Bybit, through the real ccxt client against loopback servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.builders.prices import instant, universe
from tests.cases.fault_cases import FAULTS, TIMEOUT_SECONDS, require_typed
from tests.contracts.funding_contract import FundingContract
from tests.contracts.source_contract import SourceContract
from tests.peers.equity_vendors import History, rising
from tests.peers.exchange_vendors import Settlements, binance_answer, bybit_answer
from tests.peers.vendor_server import Answer, Reply, Request, VendorPeer, vendor_peer
from trading_lib.adapters.sources.vendors.ccxt_exchanges import CcxtSource
from trading_lib.domain.errors import (
    ConfigurationError,
    RateLimitedError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
    UnreadableAnswerError,
)

ANSWERS: dict[str, Callable[[History, Settlements], Answer]] = {"binance": binance_answer, "bybit": bybit_answer}
FIRST, LAST = date(2022, 6, 1), date(2022, 6, 17)
DAYS = [FIRST + timedelta(days=n) for n in range(17)]
LATER = instant("2022-07-01")


def every(hours: int, begin: datetime, end: datetime) -> dict[datetime, float]:
    count = (end - begin) // timedelta(hours=hours)
    # Exchanges settle a few milliseconds late.
    return {
        begin + timedelta(hours=hours * n, milliseconds=n % 4): round((n % 50 - 20) * 1e-5, 8) for n in range(count)
    }


@contextmanager
def exchange(name: str, history: History, settlements: Settlements) -> Iterator[tuple[CcxtSource, VendorPeer]]:
    with vendor_peer(ANSWERS[name](history, settlements)) as peer:
        yield CcxtSource(name, universe(), peer.address, TIMEOUT_SECONDS, rate_limited=False), peer


@pytest.fixture(params=["binance", "bybit"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[CcxtSource, VendorPeer]]:
    settlements = every(8, instant("2022-05-20"), instant("2022-06-20"))
    with exchange(request.param, rising(DAYS, 30_000), settlements) as both:
        yield both


class TestContract(SourceContract, FundingContract):
    known = ("BTC-USD",)
    unknown = "SPY"
    first, last = FIRST, LAST
    as_of = LATER
    cut = instant("2022-06-10 20:20")
    first_day, last_day = FIRST, LAST
    later = LATER
    settled = instant("2022-06-10 20:20")

    @pytest.fixture
    def source(self, served: tuple[CcxtSource, VendorPeer]) -> CcxtSource:
        return served[0]

    @pytest.fixture
    def funding_source(self, served: tuple[CcxtSource, VendorPeer]) -> CcxtSource:
        return served[0]


def test_bars_are_utc_days_priced_in_tether_and_say_so(served: tuple[CcxtSource, VendorPeer]) -> None:
    source, peer = served
    answer = source.bars(["BTC-USD"], DAYS[2], DAYS[2], LATER)
    row = answer.bars.frame.iloc[0]
    assert (row["open"], row["high"], row["low"], row["close"], row["volume"]) == (30002, 30004, 30001, 30003, 1002)
    assert row["available_at"] == instant("2022-06-04")
    assert answer.notes == (f"{source.name}: BTC-USD is priced in USDT (BTC/USDT)",)
    assert {request.query["symbol"] for request in peer.requests} == {"BTCUSDT"}


def test_the_day_that_is_still_running_is_left_out(served: tuple[CcxtSource, VendorPeer]) -> None:
    frame = served[0].bars(["BTC-USD"], FIRST, LAST, instant("2022-06-15 23:59")).bars.frame
    assert frame["date"].max().date() == date(2022, 6, 14)


def test_nothing_but_the_wanted_pages_is_asked_for(served: tuple[CcxtSource, VendorPeer]) -> None:
    source, peer = served
    source.bars(["BTC-USD"], FIRST, LAST, LATER)
    assert len(peer.requests) == 1


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_long_history_is_read_page_by_page(name: str) -> None:
    days = [date(2017, 1, 1) + timedelta(days=n) for n in range(2300)]
    with exchange(name, rising(days, 1000), {}) as (source, peer):
        frame = source.bars(["BTC-USD"], days[0], days[-1], LATER.replace(year=2030)).bars.frame
        assert frame["date"].dt.date.tolist() == days
        assert len(peer.requests) == 3


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_a_long_funding_history_with_changing_intervals_is_read_whole(name: str) -> None:
    begin = instant("2021-01-01")
    changes = [(8, begin), (4, instant("2021-10-01")), (1, instant("2021-12-01")), (8, instant("2022-01-05"))]
    ends = [moment for _, moment in changes[1:]] + [instant("2022-02-01")]
    settlements: dict[datetime, float] = {}
    for (hours, start), end in zip(changes, ends, strict=True):
        settlements |= every(hours, start, end)
    with exchange(name, rising(DAYS, 1), settlements) as (source, _):
        answer = source.funding(["BTC-USDT"], date(2021, 1, 1), date(2022, 1, 31), LATER)
    assert answer.failures == {}
    frame = answer.rates.frame
    assert frame["settled_at"].dt.to_pydatetime().tolist() == sorted(settlements)
    assert frame["rate"].tolist() == [settlements[moment] for moment in sorted(settlements)]
    hours = frame.set_index("settled_at")["interval_hours"]
    assert hours.iloc[0] != hours.iloc[0]
    assert set(hours["2021-02":"2021-09"].round(3)) == {8.0}
    assert set(hours["2021-10-02":"2021-11"].round(3)) == {4.0}
    assert set(hours["2021-12-02":"2021-12-31"].round(3)) == {1.0}


@pytest.mark.parametrize("when", ["2022-06-01 00:00", "2022-06-01 07:59"])
def test_a_rate_is_invisible_before_it_settles(served: tuple[CcxtSource, VendorPeer], when: str) -> None:
    frame = served[0].funding(["BTC-USDT"], FIRST, LAST, instant(when)).rates.frame
    assert all(moment <= instant(when) for moment in frame["settled_at"])
    assert len(frame) <= 1


@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS)
def test_a_fault_is_one_typed_line(
    served: tuple[CcxtSource, VendorPeer], fault: int | str, kind: type[SourceError], words: str
) -> None:
    source, peer = served
    peer.faults["BTCUSDT"] = fault
    answer = source.bars(["BTC-USD"], FIRST, LAST, LATER)
    require_typed("BTC-USD", answer.failures, answer.errors, kind, words)
    rates = source.funding(["BTC-USDT"], FIRST, LAST, LATER)
    require_typed("BTC-USDT", rates.failures, rates.errors, kind, words)


@pytest.mark.parametrize(
    ("name", "reply", "kind"),
    [
        ("binance", Reply({"code": -1121, "msg": "Invalid symbol."}, 400), SourceError),
        ("binance", Reply({"code": -1000, "msg": "An unknown error occurred."}, 400), SourceUnavailableError),
        ("binance", Reply({"code": -1007, "msg": "Timeout waiting for response."}, 408), SourceUnavailableError),
        ("binance", Reply({"code": -1003, "msg": "Way too many requests."}, 418), RateLimitedError),
        ("binance", Reply({"code": 0, "msg": "restricted location"}, 451), SourceRefusedError),
        ("bybit", Reply({"retCode": 10006, "retMsg": "Too many visits!", "result": {}}), RateLimitedError),
        ("bybit", Reply({"retCode": 10016, "retMsg": "Service error", "result": {}}), SourceUnavailableError),
        ("bybit", Reply({"retCode": 10001, "retMsg": "params error", "result": {}}), SourceError),
        ("bybit", Reply({"retCode": 10024, "retMsg": "Compliance rules triggered", "result": {}}), SourceRefusedError),
    ],
)
def test_the_exchanges_own_codes_are_understood(name: str, reply: Reply, kind: type[SourceError]) -> None:
    with exchange(name, rising(DAYS, 1), {}) as (source, peer):
        peer.faults["BTCUSDT"] = reply
        error = source.bars(["BTC-USD"], FIRST, LAST, LATER).errors["BTC-USD"]
    assert type(error) is kind


@pytest.mark.parametrize("name", ["binance", "bybit"])
def test_the_wait_an_exchange_asks_for_is_passed_on(name: str) -> None:
    with exchange(name, rising(DAYS, 1), {}) as (source, peer):
        peer.faults["BTCUSDT"] = Reply({"msg": "slow"}, 429, headers={"Retry-After": "9"})
        error = source.bars(["BTC-USD"], FIRST, LAST, LATER).errors["BTC-USD"]
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 9


NOON = 1654084800000
MIDNIGHT = 1654041600000


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([NOON, "1", "1", "1", "1", "1", NOON + 1], "not midnight in UTC"),
        ([MIDNIGHT, "1", "1", "1"], "has bars without 'close'"),
        ([MIDNIGHT, "1", "x", "1", "1", "1"], "has bars without 'high'"),
    ],
)
def test_a_changed_bar_is_one_clear_line(row: list[object], words: str) -> None:
    with exchange("binance", rising(DAYS, 1), {}) as (source, peer):
        peer.faults["BTCUSDT"] = Reply([row])
        answer = source.bars(["BTC-USD"], FIRST, LAST, LATER)
    require_typed("BTC-USD", answer.failures, answer.errors, UnreadableAnswerError, words)


@pytest.mark.parametrize("changed", ["fundingRate", "fundingTime"])
def test_a_changed_settlement_is_one_clear_line(changed: str) -> None:
    entry = {"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingTime": MIDNIGHT}
    del entry[changed]
    with exchange("binance", rising(DAYS, 1), {}) as (source, peer):
        peer.faults["BTCUSDT"] = Reply([entry])
        answer = source.funding(["BTC-USDT"], FIRST, LAST, LATER)
    assert answer.failures
    assert isinstance(answer.errors.get("BTC-USDT"), UnreadableAnswerError)


def test_every_address_of_the_client_is_replaced() -> None:
    hosts: list[str] = []

    def answer(request: Request) -> Reply:
        hosts.append(request.headers["host"])
        return Reply([])

    with vendor_peer(answer) as peer:
        source = CcxtSource("binance", universe(), peer.address, TIMEOUT_SECONDS, rate_limited=False)
        source.bars(["BTC-USD"], FIRST, LAST, LATER)
        source.funding(["BTC-USDT"], FIRST, LAST, LATER)
        assert hosts == [peer.address.removeprefix("http://")] * 2


def test_a_perpetual_against_another_quote_is_refused(served: tuple[CcxtSource, VendorPeer]) -> None:
    source, peer = served
    assert "ask for BTC-USDT" in source.funding(["BTC-USD"], FIRST, LAST, LATER).failures["BTC-USD"]
    assert peer.requests == []


def test_an_unknown_exchange_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'kraken'.*binance, bybit"):
        CcxtSource("kraken", universe())


def test_times_are_those_of_utc() -> None:
    assert datetime.fromtimestamp(MIDNIGHT / 1000, UTC) == instant("2022-06-01")

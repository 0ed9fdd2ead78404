"""A guarded source, with the real Tiingo client against a server that follows a script of faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest

from tests.builders.prices import instant, universe
from tests.contracts.source_contract import SourceContract
from tests.environment.moving_clock import MovingClock
from tests.peers.tiingo_prices import CUT, HANG, HTML, TiingoPeer, TooMany, tiingo_peer
from trading_lib.adapters.sources.simulated.source import SimulatedMarket
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.domain.errors import NaiveDatetimeError, SourceSkippedError, SourceUnavailableError
from trading_lib.market_data.config import BreakerConfig, RateLimit, RetryConfig
from trading_lib.market_data.resilience.breaker import BreakerStatus
from trading_lib.market_data.resilience.guard import GuardedSource, GuardPolicy, SourceGuard
from trading_lib.market_data.resilience.status import MemoryBoard
from trading_lib.market_data.source import MarketDataSource, SourceAnswer

NOW = instant("2024-03-08 22:00")
FIRST, LAST = date(2024, 3, 4), date(2024, 3, 8)
DAYS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8)]
SYMBOLS = ("SPY", "GLD", "TLT")


@pytest.fixture
def peer() -> Iterator[TiingoPeer]:
    with tiingo_peer() as server:
        server.closes = {symbol: {day: 100.0 + day.day for day in DAYS} for symbol in SYMBOLS}
        yield server


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock(NOW)


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard()


def policy(attempts: int = 3, failures: int = 5, rate: RateLimit | None = None) -> GuardPolicy:
    retry = RetryConfig(attempts=attempts, first_wait_seconds=1, longest_wait_seconds=30)
    return GuardPolicy(retry, BreakerConfig(failures_to_open=failures, open_seconds=300, probe_seconds=60), rate)


def guarded(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard, rules: GuardPolicy) -> GuardedSource:
    source = TiingoSource(universe(), "key", peer.address, read_seconds=0.25)
    return GuardedSource(source, SourceGuard("tiingo", board, rules, clock, clock.sleep))


def ask(source: MarketDataSource, *symbols: str) -> SourceAnswer:
    return source.bars(symbols, FIRST, LAST, NOW)


@pytest.mark.parametrize("fault", [500, 503, HANG, TooMany(7)])
def test_a_passing_fault_is_tried_again(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard, fault: Any) -> None:
    peer.script = deque([fault])
    answer = ask(guarded(peer, clock, board, policy()), "SPY")
    assert list(answer.bars.frame["close"]) == [104, 105, 106, 107, 108]
    assert peer.asked == ["SPY", "SPY"]
    status = board.get_source_status()["tiingo"]
    assert (status.breaker.failures, status.breaker.status) == (0, BreakerStatus.CLOSED)
    assert status.last_failure_at is not None
    assert status.last_answer_at == clock.now


def test_retry_after_is_kept_to(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard) -> None:
    peer.script = deque([TooMany(7), TooMany(11)])
    assert not ask(guarded(peer, clock, board, policy()), "SPY").failures
    assert clock.waits == [7, 11]


def test_a_long_retry_after_is_kept_to_by_everybody(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard) -> None:
    peer.script = deque([TooMany(900)])
    source = guarded(peer, clock, board, policy())
    answer = ask(source, "SPY", "GLD")
    assert set(answer.failures) == {"SPY", "GLD"}
    assert (peer.asked, clock.waits) == (["SPY"], [])
    clock.advance(899)
    assert isinstance(ask(source, "GLD").errors["GLD"], SourceSkippedError)
    clock.advance(1)
    assert not ask(source, "GLD").failures


def test_waits_grow_and_stay_below_the_longest(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard) -> None:
    peer.always = 500
    retry = RetryConfig(attempts=8, first_wait_seconds=4, longest_wait_seconds=20)
    rules = GuardPolicy(retry, BreakerConfig(failures_to_open=100, open_seconds=300, probe_seconds=60))
    assert "SPY" in ask(guarded(peer, clock, board, rules), "SPY").failures
    assert len(clock.waits) == 7
    assert all(0 <= wait <= min(20, 4 * 2**number) for number, wait in enumerate(clock.waits))


@pytest.mark.parametrize(("fault", "word"), [(401, "key is refused"), (HTML, "web page"), (CUT, "cut off")])
def test_a_lasting_fault_is_not_tried_again_and_counts(
    peer: TiingoPeer, clock: MovingClock, board: MemoryBoard, fault: Any, word: str
) -> None:
    peer.always = fault
    answer = ask(guarded(peer, clock, board, policy()), "SPY")
    assert word in answer.failures["SPY"]
    assert peer.asked == ["SPY"]
    assert board.get_source_status()["tiingo"].breaker.failures == 1


def test_an_unknown_symbol_says_nothing_against_the_source(
    peer: TiingoPeer, clock: MovingClock, board: MemoryBoard
) -> None:
    del peer.closes["GLD"]
    source = guarded(peer, clock, board, policy(failures=1))
    answer = ask(source, "GLD", "SPY")
    assert set(answer.bars.symbols) == {"SPY"}
    assert peer.asked == ["GLD", "SPY"]
    assert board.get_source_status()["tiingo"].breaker.failures == 0


def test_a_source_that_breaks_down_half_way_costs_only_what_it_still_owes(
    peer: TiingoPeer, clock: MovingClock, board: MemoryBoard
) -> None:
    peer.script = deque([None, 500, 500])
    answer = ask(guarded(peer, clock, board, policy(failures=2)), *SYMBOLS)
    assert answer.bars.symbols == ("SPY",)
    assert "HTTP 500" in answer.failures["GLD"]
    assert isinstance(answer.errors["TLT"], SourceSkippedError)
    assert "left alone until 2024-03-08 22:0" in answer.failures["TLT"]
    assert peer.asked == ["SPY", "GLD", "GLD"]


def test_the_rate_limit_spreads_requests(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard) -> None:
    rate = RateLimit(requests=5, seconds=60, burst=1, patience_seconds=20)
    assert not ask(guarded(peer, clock, board, policy(rate=rate)), *SYMBOLS).failures
    assert clock.waits == [15, 15]


def test_beyond_the_patience_nothing_is_reserved(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard) -> None:
    rate = RateLimit(requests=5, seconds=60, burst=1, patience_seconds=10)
    answer = ask(guarded(peer, clock, board, policy(rate=rate)), *SYMBOLS)
    assert answer.bars.symbols == ("SPY",)
    assert "the next place is free in 15 s" in answer.failures["GLD"]
    assert (clock.waits, peer.asked) == ([], ["SPY"])
    bucket = board.get_source_status()["tiingo"].bucket
    assert bucket is not None
    assert bucket.tokens == 0


def test_a_defect_of_a_client_is_a_failure_without_its_words(clock: MovingClock, board: MemoryBoard) -> None:
    guard = SourceGuard("mine", board, policy(attempts=1), clock, clock.sleep)

    def broken() -> None:
        raise KeyError("https://host/?token=hunter2")

    with pytest.raises(SourceUnavailableError, match="its client failed with KeyError") as caught:
        guard.call(broken)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(board.get_source_status()["mine"].last_error)


def test_an_instant_without_a_zone_counts_nothing(peer: TiingoPeer, clock: MovingClock, board: MemoryBoard) -> None:
    with pytest.raises(NaiveDatetimeError):
        guarded(peer, clock, board, policy()).bars(["SPY"], FIRST, LAST, datetime(2024, 3, 8, 22))
    assert board.get_source_status() == {}


class TestGuardedSourceContract(SourceContract):
    known = ("SPY", "BTC-USD", "^VIX")
    first, last = date(2020, 3, 2), date(2020, 3, 31)
    as_of, cut = instant("2020-05-01"), instant("2020-03-16 12:00")

    @pytest.fixture
    def source(self) -> MarketDataSource:
        clock = MovingClock(NOW)
        guard = SourceGuard("simulated", MemoryBoard(), policy(), clock, clock.sleep)
        return GuardedSource(SimulatedMarket(universe()), guard)

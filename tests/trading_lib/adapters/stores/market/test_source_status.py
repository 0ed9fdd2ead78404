"""The status board in the database: one state for all tasks, however many change it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine

from tests.builders.prices import instant, universe
from tests.environment.moving_clock import MovingClock
from tests.peers.tiingo_prices import tiingo_peer
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.adapters.stores.market.source_status import DatabaseBoard
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.errors import SourceSkippedError, SourceUnavailableError
from trading_lib.market_data.config import BreakerConfig, RateLimit, RetryConfig
from trading_lib.market_data.resilience.breaker import BreakerState, BreakerStatus
from trading_lib.market_data.resilience.guard import GuardedSource, GuardPolicy, SourceGuard
from trading_lib.market_data.resilience.rate_limit import Bucket
from trading_lib.market_data.resilience.status import SourceStatus

pytestmark = pytest.mark.postgres

NOW = instant("2024-03-08 22:00")
POLICY = GuardPolicy(
    RetryConfig(attempts=1, first_wait_seconds=0, longest_wait_seconds=5),
    BreakerConfig(failures_to_open=20, open_seconds=300, probe_seconds=60),
)


def test_a_state_comes_back_as_it_was(engine: Engine) -> None:
    status = SourceStatus(BreakerState(BreakerStatus.OPEN, 7, NOW), Bucket(-1.25, NOW), NOW, None, "HTTP 500")
    board = DatabaseBoard(engine)
    assert board.update("tiingo", lambda _: status) == status
    assert board.update("bybit", lambda state: state) == SourceStatus()
    assert list(DatabaseBoard(engine).get_source_status().items()) == [("bybit", SourceStatus()), ("tiingo", status)]


def test_a_change_that_raises_changes_nothing(engine: Engine) -> None:
    board = DatabaseBoard(engine)
    before = board.update("tiingo", lambda state: replace(state, last_error="first"))

    def refuse(state: SourceStatus) -> SourceStatus:
        raise SourceSkippedError("no")

    with pytest.raises(SourceSkippedError):
        board.update("tiingo", refuse)
    with pytest.raises(SourceSkippedError):
        board.update("new", refuse)
    assert board.get_source_status() == {"tiingo": before}


def failing_guard(engine: Engine, clock: MovingClock) -> SourceGuard:
    return SourceGuard("tiingo", DatabaseBoard(engine), POLICY, clock, clock.sleep)


def fail() -> None:
    raise SourceUnavailableError("tiingo: HTTP 500")


def test_failures_of_many_tasks_add_up(database_url: str) -> None:
    engines = [connect(database_url) for _ in range(4)]
    clock = MovingClock(NOW)

    def work(engine: Engine) -> None:
        for _ in range(4):
            with pytest.raises(SourceUnavailableError):
                failing_guard(engine, clock).call(fail)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, engines))
    board = DatabaseBoard(engines[0])
    assert board.get_source_status()["tiingo"].breaker == BreakerState(BreakerStatus.CLOSED, 16, None)
    for _ in range(4):
        with pytest.raises(SourceUnavailableError):
            failing_guard(engines[1], clock).call(fail)
    assert board.get_source_status()["tiingo"].breaker.status is BreakerStatus.OPEN
    with pytest.raises(SourceSkippedError, match="left alone until 2024-03-08 22:05:00 UTC after 20 failures"):
        failing_guard(engines[2], clock).call(fail)
    for engine in engines:
        engine.dispose()


def test_one_probe_goes_out_however_many_ask_at_once(database_url: str) -> None:
    engines = [connect(database_url) for _ in range(6)]
    opened = SourceStatus(BreakerState(BreakerStatus.OPEN, 20, NOW))
    DatabaseBoard(engines[0]).update("tiingo", lambda _: opened)
    clock = MovingClock(NOW)
    with tiingo_peer() as peer:
        # The probe is under way until every other task was turned away.
        peer.closes = {"SPY": {date(2024, 3, 8): 100.0}}
        peer.always = "hang"

        def ask(engine: Engine) -> str:
            source = TiingoSource(universe(), "key", peer.address, read_seconds=2)
            guarded = GuardedSource(source, failing_guard(engine, clock))
            answer = guarded.bars(["SPY"], date(2024, 3, 8), date(2024, 3, 8), NOW)
            return answer.failures["SPY"]

        with ThreadPoolExecutor(6) as pool:
            failures = list(pool.map(ask, engines))
        assert peer.asked == ["SPY"]
    assert sum("is being tried by another task" in failure for failure in failures) == 5
    for engine in engines:
        engine.dispose()


def test_tasks_share_a_rate_limit(database_url: str) -> None:
    engines = [connect(database_url) for _ in range(4)]
    limited = replace(POLICY, rate=RateLimit(requests=10, seconds=60, burst=4, patience_seconds=600))
    clock = MovingClock(NOW)
    waits: list[float] = []

    def work(engine: Engine) -> None:
        guard = SourceGuard("tiingo", DatabaseBoard(engine), limited, lambda: NOW, waits.append)
        for _ in range(3):
            guard.call(lambda: None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, engines))
    assert sorted(waits) == [10.0 * number for number in range(1, 9)]
    assert clock.waits == []
    for engine in engines:
        engine.dispose()


def test_failures_and_changes_of_the_breaker_are_told(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    board = DatabaseBoard(connect(database_url))
    moment = instant("2024-03-08 22:05")
    opened = SourceStatus(BreakerState(BreakerStatus.OPEN, 5, moment), None, None, moment, "vendor: HTTP 500")
    board.update("vendor", lambda _: opened)
    board.update("vendor", lambda status: status)
    assert [record.getMessage() for record in caplog.records] == [
        "source vendor failed (attempt 5 in a row): vendor: HTTP 500",
        "circuit breaker of source vendor: closed -> open until 2024-03-08T22:05:00+00:00",
    ]

"""Resilient use of one source: rate limit, circuit breaker, retries. Input: a source. Output: the same, guarded.

Symbols are asked for one by one, so that each has its own outcome and a source that breaks down half-way costs only
the symbols it still owes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, TypeVar

import pandas as pd
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from trading_lib.domain.errors import (
    ConfigurationError,
    RateLimitedError,
    SourceError,
    SourceRefusedError,
    SourceSkippedError,
    SourceUnavailableError,
    UnreadableAnswerError,
)
from trading_lib.domain.market.prices import Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.config import BreakerConfig, RateLimit, RetryConfig
from trading_lib.market_data.resilience.breaker import BreakerStatus, admit, after_answer, after_failure
from trading_lib.market_data.resilience.rate_limit import take
from trading_lib.market_data.resilience.status import SourceStatus, StatusBoard
from trading_lib.market_data.source import MacroSource, MarketDataSource, SourceAnswer

Answer = TypeVar("Answer")
Clock = Callable[[], datetime]
Sleep = Callable[[float], None]

# Failures of the source itself. Any other failure is an answer: it works, and has no such data.
BLAMES_SOURCE = (RateLimitedError, SourceUnavailableError, SourceRefusedError, UnreadableAnswerError)


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """The limits for one source.

    Attributes
    ----------
    rate
        None when it may be asked as fast as it answers.
    """

    retry: RetryConfig
    breaker: BreakerConfig
    rate: RateLimit | None = None


class SourceGuard:
    """Admits or refuses requests to one source, and keeps its status.

    Parameters
    ----------
    name
        The source's name on the board.
    clock, sleep
        The present, timezone-aware, and how to wait so many seconds.
    """

    def __init__(self, name: str, board: StatusBoard, policy: GuardPolicy, clock: Clock, sleep: Sleep) -> None:
        self._name = name
        self._board = board
        self._policy = policy
        self._clock = clock
        self._sleep = sleep

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """Return ``ask()``, tried again after transient failures.

        Raises
        ------
        SourceSkippedError
            When the source may not be asked now.
        SourceError
            What ``ask`` raised last. An exception of another kind is a defect of the source's client and becomes a
            `SourceUnavailableError` without its text, which might hold a key.
        """
        retry = self._policy.retry
        backoff = wait_random_exponential(multiplier=retry.first_wait_seconds, max=retry.longest_wait_seconds)
        attempts = Retrying(
            stop=stop_after_attempt(retry.attempts),
            wait=lambda state: _asked_wait(state) or backoff(state),
            retry=retry_if_exception(self._worth_another_attempt),
            sleep=self._sleep,
            reraise=True,
        )
        response: Answer = attempts(self._attempt, ask)
        return response

    def _attempt(self, ask: Callable[[], Answer]) -> Answer:
        self._sleep_until_admitted()
        try:
            response = ask()
        except BLAMES_SOURCE as error:
            self._failed(error)
            raise
        except SourceError:
            self._answered()
            raise
        except ConfigurationError:
            raise  # a user's class that is wrong will stay wrong, so there is no retry
        except Exception as error:
            failure = SourceUnavailableError(
                f"{self._name}: its client failed with {type(error).__name__}", "report this if it happens again"
            )
            self._failed(failure)
            raise failure from error
        self._answered()
        return response

    def _sleep_until_admitted(self) -> None:
        now, wait = self._clock(), 0.0

        def reserve(status: SourceStatus) -> SourceStatus:
            nonlocal wait
            bucket, rate = status.bucket, self._policy.rate
            admitted = admit(status.breaker, now, self._policy.breaker)
            if admitted is None:
                raise SourceSkippedError(self._left_alone(status), "see `trading sources`")
            if rate is not None:
                bucket, wait = take(bucket, rate, rate.per_symbol, now)
                if wait > rate.patience_seconds:
                    raise SourceSkippedError(
                        f"{self._name} allows {rate.requests} requests in {rate.seconds:g} s; the next place is free in"
                        f" {wait:.0f} s",
                        "wait, or raise its limit in sources.yaml if your plan allows more",
                    )
            return replace(status, breaker=admitted, bucket=bucket)

        self._board.update(self._name, reserve)
        if wait > 0:
            self._sleep(wait)

    def _left_alone(self, status: SourceStatus) -> str:
        until = status.breaker.blocked_until
        if status.breaker.status is BreakerStatus.HALF_OPEN:
            return f"{self._name} is being tried by another task after {status.breaker.failures} failures"
        when = f" until {until:%Y-%m-%d %H:%M:%S} UTC" if until else ""
        return f"{self._name} is left alone{when} after {status.breaker.failures} failures in a row"

    def _answered(self) -> None:
        now = self._clock()
        self._board.update(
            self._name, lambda status: replace(status, breaker=after_answer(status.breaker), last_answer_at=now)
        )

    def _failed(self, error: SourceError) -> None:
        now, policy = self._clock(), self._policy
        asked = _retry_after(error)
        hold = asked if asked > policy.retry.longest_wait_seconds else 0.0
        self._board.update(
            self._name,
            lambda status: replace(
                status,
                breaker=after_failure(status.breaker, now, policy.breaker, hold),
                last_failure_at=now,
                last_error=" ".join(str(error).split()),
            ),
        )

    def _worth_another_attempt(self, error: BaseException) -> bool:
        if not isinstance(error, SourceError) or not error.transient:
            return False
        if _retry_after(error) > self._policy.retry.longest_wait_seconds:
            return False
        # Waiting until the breaker has opened would lose the reason why it did.
        status = self._board.get_source_status().get(self._name, SourceStatus())
        return status.breaker.status is BreakerStatus.CLOSED


class GuardedSource:
    """A market data source behind a `SourceGuard`; asks for one symbol at a time."""

    def __init__(self, source: MarketDataSource, guard: SourceGuard) -> None:
        self._source = source
        self._guard = guard

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols``; see `MarketDataSource.bars`. A symbol that may not be asked for now is a failure."""
        moment = require_aware(as_of, "as_of")
        answers: list[SourceAnswer] = []
        failures: dict[str, str] = {}
        errors: dict[str, SourceError] = {}
        for symbol in dict.fromkeys(symbols):
            try:
                answers.append(self._guard.call(partial(self._one, symbol, first, last, moment)))
            except _NoBarsError as absence:
                failures[symbol] = str(absence)
            except SourceError as error:
                failures[symbol] = _naming(symbol, error)
                errors[symbol] = error
        notes = dict.fromkeys(note for response in answers for note in response.notes)
        return SourceAnswer(_joined(answers), failures, tuple(notes), errors)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro series of the source; raises the `SourceError` that stands in the way."""
        moment = require_aware(as_of, "as_of")
        return self._guard.call(lambda: self._source.macro(first, last, moment))

    def _one(self, symbol: str, first: date, last: date, as_of: datetime) -> SourceAnswer:
        response = self._source.bars([symbol], first, last, as_of)
        if symbol in response.failures:
            raise response.errors.get(symbol) or _NoBarsError(response.failures[symbol])
        return response


class GuardedMacro:
    """A macro source behind a `SourceGuard`."""

    def __init__(self, source: MacroSource, guard: SourceGuard) -> None:
        self._source = source
        self._guard = guard

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro series of the source; raises the `SourceError` that stands in the way."""
        moment = require_aware(as_of, "as_of")
        return self._guard.call(lambda: self._source.macro(first, last, moment))


class _NoBarsError(SourceError):
    """The source answered that it has no such bars."""


def _joined(answers: Sequence[SourceAnswer]) -> Bars:
    frames = [response.bars.frame for response in answers if len(response.bars)]
    return Bars.from_frame(pd.concat(frames, ignore_index=True)) if frames else Bars.empty()


def _naming(symbol: str, error: SourceError) -> str:
    line = " ".join(str(error).split())
    return line if symbol in line else f"{symbol}: {line}"


def _retry_after(error: BaseException | None) -> float:
    return (error.retry_after or 0.0) if isinstance(error, RateLimitedError) else 0.0


def _asked_wait(state: RetryCallState) -> float:
    """Seconds the source asked to wait after the latest attempt, 0 when it did not say."""
    outcome: Any = state.outcome
    return _retry_after(outcome.exception() if outcome is not None else None)

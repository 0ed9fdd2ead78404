"""No notifier can fail or hold up whoever sends a message, nor another notifier."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from tests.contracts.notifier_contract import SHORT
from trading_lib.adapters.alerts.delivery import Delivery, deliver
from trading_lib.monitoring.notifier import Message, Notifier


class Kept:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)


class Failing:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def send(self, message: Message) -> None:
        raise self._error


class Stuck:
    def __init__(self) -> None:
        self.released = threading.Event()

    def send(self, message: Message) -> None:
        self.released.wait()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    notifier = Stuck()
    yield notifier
    notifier.released.set()


def test_a_message_goes_to_all(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = Kept(), Kept()
    assert deliver(SHORT, {"one": lambda: one, "other": lambda: other}, 60) == (Delivery("one"), Delivery("other"))
    assert one.messages == other.messages == [SHORT]


def test_without_notifiers_nothing_happens() -> None:
    assert deliver(SHORT, {}, 60) == ()


@pytest.mark.parametrize("error", [ValueError("key=hunter2"), SystemExit(3), KeyboardInterrupt()])
def test_one_that_raises_is_told_by_kind_and_line_and_the_others_get_it(error: BaseException) -> None:
    kept = Kept()
    failed, sent = deliver(SHORT, {"failing": lambda: Failing(error), "kept": lambda: kept}, 60)
    assert failed.problem.startswith(f"send failed: {type(error).__name__} in line ")
    assert "hunter2" not in failed.problem
    assert sent == Delivery("kept")
    assert kept.messages == [SHORT]


def test_one_that_does_not_answer_is_left_behind(stuck: Stuck) -> None:
    kept = Kept()
    late, sent = deliver(SHORT, {"stuck": lambda: stuck, "kept": lambda: kept}, 0.05)
    assert late == Delivery("stuck", "send gave no answer within 0.05 s")
    assert sent.notifier == "kept"
    assert kept.messages == [SHORT]


class Later:
    async def send(self, message: Message) -> None:
        raise AssertionError("nobody waits for it")


class Yielding:
    def send(self, message: Message) -> Iterator[None]:
        yield


@pytest.mark.parametrize(("notifier", "kind"), [(Later(), "coroutine"), (Yielding(), "generator")])
def test_a_send_that_has_not_begun_is_not_told_as_sent(notifier: Notifier, kind: str) -> None:
    (delivery,) = deliver(SHORT, {"own": lambda: notifier}, 60)
    assert delivery.problem == f"send answers {kind}, so nothing was sent"


def test_one_that_takes_its_time_to_be_created_is_left_behind(stuck: Stuck) -> None:
    def create() -> Kept:
        stuck.released.wait()
        return Kept()

    kept = Kept()
    late, sent = deliver(SHORT, {"slow": create, "kept": lambda: kept}, 0.05)
    assert late.problem
    assert sent == Delivery("kept")


class Ending:
    def send(self, message: Message) -> None:
        os._exit(0)


def test_an_end_of_the_process_is_the_notifiers_failure_alone() -> None:
    before = os._exit
    (delivery,) = deliver(SHORT, {"ending": Ending}, 60)
    assert delivery.problem.startswith("send failed: ProcessEndedError in line ")
    assert os._exit is before

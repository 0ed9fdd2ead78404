"""No notifier can fail or hold up whoever sends a message, nor another notifier."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.contracts.notifier_contract import SHORT
from trading_lib.adapters.alerts.delivery import Delivery, deliver
from trading_lib.monitoring.notifier import Message


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
    assert deliver(SHORT, {"one": one, "other": other}, 60) == (Delivery("one"), Delivery("other"))
    assert one.messages == other.messages == [SHORT]


def test_without_notifiers_nothing_happens() -> None:
    assert deliver(SHORT, {}, 60) == ()


@pytest.mark.parametrize("error", [ValueError("key=hunter2"), SystemExit(3), KeyboardInterrupt()])
def test_one_that_raises_is_told_by_kind_and_line_and_the_others_get_it(error: BaseException) -> None:
    kept = Kept()
    failed, sent = deliver(SHORT, {"failing": Failing(error), "kept": kept}, 60)
    assert failed.problem.startswith(f"send failed: {type(error).__name__} in line ")
    assert "hunter2" not in failed.problem
    assert sent == Delivery("kept")
    assert kept.messages == [SHORT]


def test_one_that_does_not_answer_is_left_behind(stuck: Stuck) -> None:
    kept = Kept()
    late, sent = deliver(SHORT, {"stuck": stuck, "kept": kept}, 0.05)
    assert late == Delivery("stuck", "send gave no answer within 0.05 s")
    assert sent.notifier == "kept"
    assert kept.messages == [SHORT]

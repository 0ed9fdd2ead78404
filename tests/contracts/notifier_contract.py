"""What every `Notifier` must do. A test class inherits `NotifierContract` and says what has arrived."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date

import pytest

from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.notifier import Message, Notifier

SHORT = Message(AlertLevel.INFO, "a title", "a text")


class NotifierContract(ABC):
    """Inherit it, and answer the two questions below."""

    @abstractmethod
    @pytest.fixture
    def notifier(self) -> Notifier:
        """The notifier, at a place where nothing has arrived."""

    @abstractmethod
    def arrived(self) -> list[str]:
        """What has arrived, one text for each message, oldest first."""

    def test_it_is_a_notifier(self, notifier: Notifier) -> None:
        assert isinstance(notifier, Notifier)

    def test_nothing_is_sent_before_it_is_asked_to(self, notifier: Notifier) -> None:
        assert self.arrived() == []

    @pytest.mark.parametrize("level", list(AlertLevel))
    def test_a_message_of_every_level_arrives_with_its_text(self, notifier: Notifier, level: AlertLevel) -> None:
        message = Message(level, "a title", "first line\nsecond line", date(2024, 1, 3), "https://example.com/log")
        notifier.send(message)
        (text,) = self.arrived()
        assert "first line" in text
        assert "second line" in text

    def test_two_messages_arrive_in_their_order(self, notifier: Notifier) -> None:
        for number in (1, 2):
            notifier.send(Message(AlertLevel.INFO, f"title {number}", f"text {number}"))
        assert [number in text for number, text in zip(("text 1", "text 2"), self.arrived(), strict=True)] == [True] * 2

    @pytest.mark.parametrize(
        "text", ["", "größer als 100 €, 日本", "{{ 6 * 7 }} <b>", "x" * 20_000, "a\r\nb", 'quote " and \\ slash']
    )
    def test_any_text_is_taken(self, notifier: Notifier, text: str) -> None:
        notifier.send(Message(AlertLevel.CRITICAL, "a title", text))
        (arrived,) = self.arrived()
        assert text.splitlines() == [] or text.splitlines()[0] in arrived

"""The sender against a real database, a real mail server and a real webhook; time passes by an injected clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.cases.alerts import NOON, alert
from tests.environment.moving_clock import MovingClock
from tests.peers.mail_server import PASSWORD, USER, MailServer, mail_server
from tests.peers.webhook_server import SECRET, WebhookServer, webhook_server
from trading_lib.adapters.alerts.channels import AppriseChannel
from trading_lib.adapters.alerts.mail_file import MailFile
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.monitoring.alert import Alert, AlertLevel, Picture
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.monitoring.notifier import Message, Notifier
from trading_lib.workflows.alerts.sender import AlertSender

pytestmark = pytest.mark.postgres
WINDOW = timedelta(hours=1)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def webhook() -> Iterator[WebhookServer]:
    with webhook_server() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@dataclass
class Bench:
    """A sender and its outbox; `pass_time` lets it look every second of the injected clock."""

    store: AlertStore
    folder: Path
    clock: MovingClock
    channels: dict[str, Callable[[], Notifier]]
    config: MonitoringConfig = field(default_factory=lambda: MonitoringConfig(send_seconds=5))
    elapsed: float = 0.0
    own: tuple[str, ...] = ()
    sender: AlertSender = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew, as after a restart."""
        file = MailFile(self.folder, self.clock)
        self.sender = AlertSender(
            self.config, self.channels, self.own, file, self.clock, lambda: self.clock.now.timestamp() + self.elapsed
        )

    def raise_(self, *alerts: Alert) -> None:
        for entry in alerts:
            self.store.add(entry, self.clock(), WINDOW)

    def settle(self) -> None:
        """Turn until nothing is left that is due now."""
        for _ in range(200):
            moved = self.sender.turn(self.store)
            if not moved and not self.sender.busy:
                return
            _until(lambda: all(flight.outcome for flight in self.sender._flights.values()))
        raise AssertionError("the sender does not come to rest")

    def pass_time(self, seconds: int, step: int = 1) -> None:
        for _ in range(0, seconds, step):
            self.settle()
            self.clock.advance(step)
        self.settle()

    @property
    def kept(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.txt")))


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    waiting = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        waiting.wait(0.005)
    raise AssertionError("nothing came of it")


@pytest.fixture
def bench(engine: Engine, tmp_path: Path, webhook: WebhookServer, mail: MailServer) -> Bench:
    """A webhook as first step, mail as second; nothing else is set up."""
    channels: dict[str, Callable[[], Notifier]] = {
        "webhook": lambda: AppriseChannel("webhook", webhook.address),
        "mail": lambda: AppriseChannel("mail", mail.address),
    }
    return Bench(AlertStore(engine), tmp_path / "mail", MovingClock(NOON), channels)


@pytest.fixture
def mail_only(bench: Bench) -> Bench:
    del bench.channels["webhook"]
    bench.start()
    return bench


def test_ten_failures_in_a_minute_are_one_mail_and_a_digest(mail_only: Bench, mail: MailServer) -> None:
    for number in range(10):
        mail_only.raise_(alert(number))
        mail_only.pass_time(5)
    mail_only.pass_time(30)
    subjects = [str(message["Subject"]) for message in mail.messages]
    assert subjects == [
        "[trading] CRITICAL: fault 0",
        "[trading] CRITICAL: 9 more alerts, the gravest critical: fault 1",
    ]
    digest = mail.part(1, "text/html")
    assert all(f"fault {number}" in digest for number in range(1, 10))


def test_the_same_failure_ten_times_is_one_mail(mail_only: Bench, mail: MailServer) -> None:
    for _ in range(10):
        mail_only.raise_(alert())
        mail_only.pass_time(20)
    assert len(mail.messages) == 1
    assert mail_only.store.records()[0].stored.occurrences == 10


def test_an_emergency_is_never_suppressed(mail_only: Bench, mail: MailServer) -> None:
    mail_only.raise_(alert(0), *(alert(number, AlertLevel.EMERGENCY) for number in range(1, 6)))
    mail_only.settle()
    subjects = {str(message["Subject"]) for message in mail.messages}
    assert subjects == {"[trading] CRITICAL: fault 0", *(f"[trading] EMERGENCY: fault {n}" for n in range(1, 6))}


def test_escalation_goes_on_until_somebody_answers(bench: Bench, webhook: WebhookServer, mail: MailServer) -> None:
    bench.raise_(alert(1))
    bench.pass_time(290, step=10)
    assert (webhook.titles, len(mail.messages)) == (["CRITICAL: fault 1"], 0)
    bench.pass_time(20, step=5)
    assert webhook.titles[1:] == ["CRITICAL: fault 1 (not acknowledged for 5 min)"]
    assert [str(message["Subject"]) for message in mail.messages] == [
        "[trading] CRITICAL: fault 1 (not acknowledged for 5 min)"
    ]
    bench.store.acknowledge(None, "ana", "on it", bench.clock())
    bench.pass_time(3600, step=60)
    assert (len(webhook.posts), len(mail.messages)) == (2, 1)


def test_nobody_answers_and_the_third_step_comes_after_fifteen_minutes(bench: Bench, mail: MailServer) -> None:
    bench.raise_(alert(1))
    bench.pass_time(890, step=10)
    assert len(mail.messages) == 1
    bench.pass_time(30, step=10)
    assert len(mail.messages) == 2
    assert "not acknowledged for 15 min" in str(mail.messages[1]["Subject"])
    bench.pass_time(3600, step=60)
    assert len(mail.messages) == 2


def test_an_alert_of_a_machine_whose_clock_is_wrong_is_sent_at_once(bench: Bench, webhook: WebhookServer) -> None:
    for number, hours in ((1, 1), (2, -1)):
        bench.store.add(alert(number, AlertLevel.EMERGENCY), NOON + timedelta(hours=hours), WINDOW)
    bench.settle()
    assert sorted(webhook.titles) == ["EMERGENCY: fault 1", "EMERGENCY: fault 2"]


def test_a_mail_has_text_page_and_pictures(mail_only: Bench, mail: MailServer) -> None:
    mail_only.raise_(alert(level=AlertLevel.INFO, pictures=(Picture("equity", PNG),)))
    mail_only.settle()
    assert mail.logins == [USER]
    assert "no bar of SPY" in mail.part(0, "text/plain")
    assert 'src="cid:equity.png"' in mail.part(0, "text/html")
    (picture,) = [part for part in mail.messages[0].walk() if part.get_content_type() == "image/png"]
    assert picture.get_payload(decode=True) == PNG
    assert picture["Content-ID"] == "<equity.png>"


def test_a_channel_that_refuses_is_tried_again_and_the_alert_is_kept_meanwhile(
    bench: Bench, webhook: WebhookServer
) -> None:
    webhook.status = 500
    bench.raise_(alert(1))
    bench.settle()
    assert webhook.posts == []
    assert "not sent by webhook: send failed: Failed to send JSON" in bench.kept
    assert "no bar of SPY" in bench.kept
    webhook.status = 200
    bench.pass_time(3)
    assert webhook.titles == ["CRITICAL: fault 1"]
    assert bench.kept.count("not sent by webhook") == 1


def test_a_channel_that_raises_hinders_no_other(bench: Bench, webhook: WebhookServer) -> None:
    class Broken:
        def send(self, message: Message) -> None:
            raise RuntimeError(f"no way with {SECRET}")

    bench.channels["own.py:Broken"] = Broken
    bench.own = ("own.py:Broken",)
    bench.start()
    bench.raise_(alert(1))
    bench.settle()
    assert webhook.titles == ["CRITICAL: fault 1"]
    problems = {entry.channel: entry.problem for entry in bench.store.records()[0].deliveries if entry.step == 1}
    assert problems["webhook"] == ""
    assert problems["own.py:Broken"].startswith("send failed: RuntimeError")
    assert SECRET not in str(problems) + bench.kept


def test_a_channel_that_hangs_hinders_no_other_and_is_told_of(bench: Bench, webhook: WebhookServer) -> None:
    released, sent = threading.Event(), []

    class Hanging:
        def send(self, message: Message) -> None:
            released.wait(60)
            sent.append(message.title)

    bench.channels["own.py:Hanging"] = Hanging
    bench.own = ("own.py:Hanging",)
    bench.start()
    bench.raise_(alert(1))
    bench.sender.turn(bench.store)
    _until(lambda: len(webhook.posts) == 1)
    bench.elapsed += 6  # longer than a channel may take
    bench.sender.turn(bench.store)
    assert not bench.sender.busy
    assert "own.py:Hanging: send gave no answer within 5 s" in bench.kept
    released.set()
    _until(lambda: sent == ["fault 1"])
    bench.settle()
    state = {entry.channel: entry.state for entry in bench.store.records()[0].deliveries if entry.step == 1}
    assert state == {"own.py:Hanging": "sent", "webhook": "sent"}
    bench.pass_time(60)
    assert sent == ["fault 1"]


def test_a_thread_that_never_answers_is_left_behind_in_the_end(bench: Bench) -> None:
    class Deaf:
        def send(self, message: Message) -> None:
            threading.Event().wait(60)

    bench.channels.clear()
    bench.channels["own.py:Deaf"] = Deaf
    bench.start()
    bench.raise_(alert(1))
    for _ in range(3):
        bench.sender.turn(bench.store)
        bench.elapsed += 26
    bench.clock.advance(10)
    bench.sender.turn(bench.store)
    assert bench.sender.abandoned >= 1


def test_killed_between_storing_and_sending_nothing_is_lost(bench: Bench, webhook: WebhookServer) -> None:
    bench.raise_(alert(1))
    bench.start()
    bench.settle()
    bench.start()
    bench.pass_time(30)
    assert webhook.titles == ["CRITICAL: fault 1"]


def test_killed_between_sending_and_noting_it_is_sent_once_more(bench: Bench, webhook: WebhookServer) -> None:
    bench.raise_(alert(1), alert(2))
    bench.sender.turn(bench.store)
    _until(lambda: len(webhook.posts) == 1)
    bench.start()
    bench.pass_time(70)
    assert webhook.titles[:2] == ["CRITICAL: fault 1"] * 2
    assert len(webhook.posts) == 3


def test_a_restarted_sender_still_sends_a_digest(bench: Bench, webhook: WebhookServer) -> None:
    bench.raise_(alert(1))
    bench.settle()
    bench.start()
    bench.sender.remember(bench.store.sent_since(NOON - timedelta(minutes=2)))
    bench.raise_(alert(2), alert(3))
    bench.pass_time(59)
    assert len(webhook.posts) == 1
    bench.pass_time(2)
    assert webhook.titles[1:] == ["CRITICAL: 2 more alerts, the gravest critical: fault 2"]


def test_without_channels_alerts_are_kept_in_the_file(bench: Bench) -> None:
    bench.channels.clear()
    bench.start()
    bench.raise_(alert(1), alert(2, AlertLevel.INFO))
    bench.settle()
    assert "[critical] fault 1" in bench.kept
    assert "[info] fault 2" in bench.kept
    assert not bench.store.unfinished()


def test_a_channel_that_is_no_longer_set_up_is_replaced_by_the_file(bench: Bench) -> None:
    bench.raise_(alert(1))
    bench.store.plan(bench.store.unplanned()[0].reference, [])
    bench.raise_(alert(2))
    bench.sender.turn(bench.store)
    bench.channels.clear()
    bench.start()
    bench.settle()
    assert "the channel webhook is not set up any more" in bench.kept


def test_the_outbox_goes_away_while_a_message_is_on_its_way(bench: Bench, webhook: WebhookServer) -> None:
    class Away(AlertStore):
        away = False

        def note_sent(self, *arguments: Any, **named: Any) -> None:
            if self.away:
                raise StorageUnavailableError("away", "wait")
            super().note_sent(*arguments, **named)

    store = Away(bench.store._engine)
    bench.raise_(alert(1))
    bench.sender.turn(store)
    _until(lambda: all(flight.outcome for flight in bench.sender._flights.values()))
    Away.away = True
    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            bench.sender.turn(store)
    Away.away = False
    bench.store = store
    bench.pass_time(30)
    assert webhook.titles == ["CRITICAL: fault 1"]


def test_no_secret_of_a_channel_is_in_any_text(
    bench: Bench, webhook: WebhookServer, mail: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    webhook.status, mail.refusing = 500, True
    bench.raise_(alert(1), alert(2, AlertLevel.WARNING))
    bench.pass_time(330, step=10)
    webhook.shutdown()
    webhook.server_close()
    bench.pass_time(30, step=10)
    tables = repr(bench.store.records())
    assert "send failed" in tables
    for secret in (SECRET, PASSWORD):
        assert secret not in tables + bench.kept
        # The mail server's own log shows what it was sent.
        assert not [line for line in caplog.text.splitlines() if secret in line and "mail.log" not in line]

"""The sender: serves the outbox of alerts, channel by channel, so that one that hangs holds up no other.

What a channel took is noted after it has answered: a sender that is killed in between sends that one message again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from trading_lib.adapters.alerts.delivery import attempt
from trading_lib.adapters.alerts.mail_file import MailFile
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.monitoring.escalation import FILE, GIVEN_UP_AFTER, next_try, plan_deliveries
from trading_lib.monitoring.notifier import Message, Notifier
from trading_lib.monitoring.outbox import Outbox
from trading_lib.monitoring.rate_limit import ORDER, Sent, Waiting, batches
from trading_lib.monitoring.templates import digest, single

LOG = logging.getLogger(__name__)
Makers = Mapping[str, Callable[[], Notifier]]
# A channel that has not answered for so many times its limit is left behind in its thread, and asked in another.
ABANDONED_AFTER = 5
# With so many threads left behind the process is worth starting anew.
MOST_ABANDONED = 20


@dataclass(slots=True)
class _Flight:
    """One message on its way to one channel."""

    outbox: Outbox
    batch: tuple[Waiting, ...]
    message: Message
    began: float
    outcome: list[str] = field(default_factory=list)
    late: bool = False


class AlertSender:
    """Sends what is due in an outbox.

    Parameters
    ----------
    channels
        Name -> what creates it; it may raise `ConfigurationError`, and take its time.
    own
        Names of those that are the user's own.
    mail_file
        Takes what no channel is set up for, and a copy of what one has failed to take.
    clock, monotonic
        The time, and how long a channel has been asked.
    """

    def __init__(
        self,
        config: MonitoringConfig,
        channels: Makers,
        own: Iterable[str],
        mail_file: MailFile,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._channels, self._own = config, channels, frozenset(own)
        self._file, self._clock, self._monotonic = mail_file, clock, monotonic
        self._sent: dict[str, list[Sent]] = {}
        self._flights: dict[str, _Flight] = {}
        # What could not be noted because the outbox was away: its kind, and what notes it.
        self._unnoted: list[tuple[type[Outbox], Callable[[], None]]] = []
        self.abandoned = 0

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        return any(not flight.late for flight in self._flights.values())

    def remember(self, sent: Mapping[str, Sequence[Sent]]) -> None:
        """Take over what channels were sent before this process."""
        for channel, messages in sent.items():
            self._sent.setdefault(channel, []).extend(messages)

    def turn(self, outbox: Outbox) -> bool:
        """Note what came of earlier messages, and start what is due; return whether anything began or ended.

        Raises
        ------
        StorageUnavailableError
            When the outbox is away; what is on its way is noted in a later turn.
        """
        ended = self._note_outcomes()
        # Before anything is looked for: what was sent and not noted would be sent again.
        while same := next((entry for entry in self._unnoted if entry[0] is type(outbox)), None):
            same[1]()
            self._unnoted.remove(same)
        now = self._clock()
        for stored in outbox.unplanned():
            outbox.plan(
                stored.reference,
                # From now on: the clock it was raised by may be wrong, and nobody could acknowledge it before.
                plan_deliveries(stored.alert.level, now, self._config.alerts, tuple(self._channels), self._own),
            )
        due: dict[str, list[Waiting]] = {}
        for entry in outbox.waiting(now):
            due.setdefault(entry.channel, []).append(entry)
        began = False
        for channel, waiting in due.items():
            if channel not in self._channels:
                self._into_file(outbox, channel, waiting, now)
                began = True
            elif channel not in self._flights:
                began = self._start(outbox, channel, waiting, now) or began
        return began or ended

    def wait(self, seconds: float) -> None:
        """Return when everything on its way has ended, or after so long."""
        until = self._monotonic() + seconds
        while any(not flight.outcome for flight in self._flights.values()) and self._monotonic() < until:
            time.sleep(0.01)

    def _start(self, outbox: Outbox, channel: str, waiting: Sequence[Waiting], now: datetime) -> bool:
        window = timedelta(seconds=2 * self._config.alerts.rate_limit.per_seconds)
        recent = [entry for entry in self._sent.get(channel, ()) if entry.at > now - window]
        self._sent[channel] = recent
        chosen = next(iter(batches(waiting, recent, self._config.alerts.rate_limit, now)), None)
        if chosen is None:
            return False
        message = _message(outbox, chosen, now)
        if message is None:
            return False
        flight = _Flight(outbox, chosen, message, self._monotonic())
        self._flights[channel] = flight
        threading.Thread(
            target=_carry, args=(self._channels[channel], flight), daemon=True, name=f"channel {channel}"
        ).start()
        return True

    def _note_outcomes(self) -> bool:
        noted = False
        for channel, flight in list(self._flights.items()):
            waited = self._monotonic() - flight.began
            if flight.outcome:
                problem = flight.outcome[0]
                if not problem:
                    now = self._clock()
                    self._note(flight.outbox, partial(flight.outbox.note_sent, flight.batch, now))
                    self._sent.setdefault(channel, []).append(Sent(now, _gravest(flight.batch)))
                elif not flight.late:
                    self._failed(channel, flight, problem)
                del self._flights[channel]
                noted = True
            elif waited > self._config.send_seconds and not flight.late:
                self._failed(channel, flight, f"send gave no answer within {self._config.send_seconds:g} s")
                flight.late = noted = True
            elif waited > ABANDONED_AFTER * self._config.send_seconds:
                del self._flights[channel]
                self.abandoned += 1
        return noted

    def _note(self, outbox: Outbox, note: Callable[[], None]) -> None:
        """Note what became of a message; while its outbox is away the channel goes on serving the other one."""
        try:
            note()
        except StorageUnavailableError:
            self._unnoted.append((type(outbox), note))

    def _failed(self, channel: str, flight: _Flight, problem: str) -> None:
        now, attempts = self._clock(), max(entry.attempts for entry in flight.batch) + 1
        over = now - min(entry.due_at for entry in flight.batch) > GIVEN_UP_AFTER
        try_at = None if over else next_try(attempts, now)
        self._note(flight.outbox, partial(flight.outbox.note_failed, flight.batch, problem, try_at))
        LOG.warning("channel %s took no alert: %s", channel, problem, extra={"attempts": attempts})
        if attempts == 1:
            note = f"not sent by {channel}: {problem}; it is tried again"
            self._file.send(replace(flight.message, text=f"{_headed(flight.message)}\n{note}"))

    def _into_file(self, outbox: Outbox, channel: str, waiting: Sequence[Waiting], now: datetime) -> None:
        problem = "" if channel == FILE else f"the channel {channel} is not set up any more: kept in the file"
        for entry in waiting:
            message = _message(outbox, (entry,), now)
            if message is not None:
                note = f"\n{problem}" if problem else ""
                self._file.send(replace(message, text=f"{_headed(message)}{note}"))
            outbox.note_sent((entry,), now, problem)


def _carry(create: Callable[[], Notifier], flight: _Flight) -> None:
    try:
        flight.outcome.append(attempt(create, flight.message))
    except BaseException as error:  # what creates it may raise anything
        flight.outcome.append(f"send failed: {type(error).__name__}")


def _message(outbox: Outbox, batch: Sequence[Waiting], now: datetime) -> Message | None:
    stored = outbox.find([entry.alert for entry in batch])
    step = max(entry.step for entry in batch)
    if not stored:
        return None
    return single(stored[0], step, now) if len(stored) == 1 else digest(stored, step, now)


def _headed(message: Message) -> str:
    return f"[{message.level}] {message.title}\n{message.text}"


def _gravest(batch: Sequence[Waiting]) -> AlertLevel:
    return max((entry.level for entry in batch), key=ORDER.index)

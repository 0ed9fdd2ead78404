"""The sender as a program: finds the outbox, keeps others from sending the same, and goes on whatever is away."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial

from trading_lib.adapters.alerts.channels import channel_addresses, create_channel, load_apprise
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.monitoring.notifier import Notifier
from trading_lib.monitoring.outbox import Outbox
from trading_lib.workflows.alerts.sender import MOST_ABANDONED, AlertSender
from trading_lib.workflows.operations.alerting import LOCK_FILE, Place
from trading_lib.workflows.operations.notifications import named_notifiers, notifier_makers

LOG = logging.getLogger(__name__)
LOOK_SECONDS, BUSY_SECONDS = 1.0, 0.05
# How often a database that is away, or another sender, is asked again.
RECONNECT_SECONDS = 3.0
FORGET_SECONDS = 3600.0
# A sender that was started for one alert stays for its escalation, and then this much longer.
LONGER = timedelta(minutes=5)


def channel_makers(config: MonitoringConfig, place: Place) -> dict[str, Callable[[], Notifier]]:
    """Name -> what creates it, of every channel that has an address and every notifier of the user's own."""
    channels = {
        name: partial(create_channel, name, address)
        for name, address in channel_addresses(config.alerts, place.variables).items()
    }
    return channels | notifier_makers(config, place.variables)


def into_file(place: Place, config: MonitoringConfig) -> None:
    """Put what waits into the file of mails, where no channel is set up."""
    sender = AlertSender(config, {}, (), place.mail_file(), place.clock)
    if place.spool().unfinished():
        sender.turn(place.spool())
    with suppress(StorageUnavailableError):
        engine = place.engine()
        try:
            sender.turn(AlertStore(engine))
        finally:
            engine.dispose()


class AlertService:
    """Serves the outbox of one home until it is told to stop, or until nothing is left to send.

    Parameters
    ----------
    sleep
        Waits; injected by tests.
    """

    def __init__(
        self, place: Place, config: MonitoringConfig, watch: bool, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._place, self._config, self._watch, self._sleep = place, config, watch, sleep
        self._spool = place.spool()
        makers = channel_makers(config, place)
        self._sender = AlertSender(config, makers, named_notifiers(config), place.mail_file(), place.clock)
        if channel_addresses(config.alerts, place.variables):
            load_apprise()  # now, as it takes seconds, and not when the first alert is waiting
        self._window = timedelta(minutes=config.alerts.repeat_minutes)
        self._forgotten, self._remembered = -FORGET_SECONDS, False
        self._until = place.clock()

    def run(self) -> bool:
        """Serve; return False when another sender does so already."""
        with self._only_one() as alone:
            if not alone:
                return False
            last = max(step.delay_minutes for step in self._config.alerts.escalation.steps)
            self._until = self._place.clock() + timedelta(minutes=last) + LONGER
            while not self._over() and self._serve():
                pass
        return True

    def _over(self) -> bool:
        late = not self._watch and self._place.clock() > self._until
        return late or self._sender.abandoned >= MOST_ABANDONED

    def _serve(self) -> bool:
        """Serve the outbox as long as it can be reached; return whether there is a reason to go on."""
        try:
            engine = self._place.engine()
        except StorageUnavailableError as error:
            LOG.info("alerts are sent from files: %s", error.problem)
            return self._from_files()
        try:
            store = AlertStore(engine)
            with store.only_sender() as alone:
                if not alone:
                    if self._watch:
                        self._sleep(RECONNECT_SECONDS)
                    return self._watch
                return self._from_database(store)
        except StorageUnavailableError as error:
            LOG.warning("the outbox of alerts is away: %s", error.problem)
            return True
        finally:
            engine.dispose()

    def _from_database(self, store: AlertStore) -> bool:
        if not self._remembered:
            window = timedelta(seconds=2 * self._config.alerts.rate_limit.per_seconds)
            self._sender.remember(store.sent_since(self._place.clock() - window))
            self._remembered = True
        while not self._over():
            if not self._sender.busy:
                self._spool.move_into(store, self._window)
            moved = self._sender.turn(store)
            if self._nothing_left(store, moved):
                return False
            self._forget(store)
            self._sleep(BUSY_SECONDS if moved or self._sender.busy else LOOK_SECONDS)
        return True

    def _from_files(self) -> bool:
        """Serve the files until the database is asked again."""
        until = time.monotonic() + RECONNECT_SECONDS
        while time.monotonic() < until and not self._over():
            moved = self._sender.turn(self._spool)
            if self._nothing_left(self._spool, moved):
                return False
            self._sleep(BUSY_SECONDS if moved or self._sender.busy else LOOK_SECONDS)
        return True

    def _nothing_left(self, outbox: Outbox, moved: bool) -> bool:
        return not (self._watch or self._sender.busy or moved or outbox.unfinished())

    def _forget(self, store: AlertStore) -> None:
        if time.monotonic() - self._forgotten > FORGET_SECONDS:
            self._forgotten = time.monotonic()
            store.forget(self._place.clock() - timedelta(days=self._config.alerts.keep_days))

    @contextmanager
    def _only_one(self) -> Iterator[bool]:
        """Hold the lock of this home, for the database's own goes when that is away."""
        folder = self._place.folders.closed("alerts")
        with (folder / LOCK_FILE).open("ab") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not self._watch:
                        yield False
                        return
                    self._sleep(RECONNECT_SECONDS)
                else:
                    yield True
                    return

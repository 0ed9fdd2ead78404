"""Alerts to a person: stored first, delivered by the sender."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from trading_lib.adapters.alerts.channels import channel_addresses
from trading_lib.adapters.alerts.mail_file import MailFile, utc_now
from trading_lib.adapters.logs.redaction import address_secrets, secret_values, without_secrets
from trading_lib.adapters.services.folders import HOME_VARIABLE, StackFolders
from trading_lib.domain.errors import StorageUnavailableError, TradingError
from trading_lib.monitoring.alert import Alert
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.workflows.operations.notifications import load_monitoring

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.adapters.alerts.spool import Spool
    from trading_lib.workflows.setup.settings import Settings

LOG = logging.getLogger(__name__)
DATABASE_VARIABLE = "TRADING_DATABASE_URL"
# Whoever raises an alert waits no longer than this for the database.
STORE_SECONDS = 0.7
LOCK_FILE = "sender.lock"
LONGEST_TITLE, LONGEST_TEXT, LONGEST_KEY = 300, 20_000, 500
# What no database stores, no channel takes, or a terminal would obey.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Place:
    """Where alerts are kept and what they are sent with.

    Attributes
    ----------
    database_url
        None for the embedded server, which is never started for an alert.
    variables
        The environment; it holds the channels' addresses.
    """

    folders: StackFolders
    database_url: str | None
    variables: Mapping[str, str]
    clock: Callable[[], datetime] = utc_now

    @classmethod
    def locate(cls, settings: Settings | None = None, variables: Mapping[str, str] | None = None) -> Place:
        """Find it from the settings of a workflow, or from the environment."""
        environment = os.environ if variables is None else variables
        if settings is not None:
            return cls(settings.folders, settings.database_url, environment, settings.clock)
        return cls(StackFolders.locate(environment), environment.get(DATABASE_VARIABLE) or None, environment)

    def engine(self) -> Engine:
        """Connect to the outbox.

        Raises
        ------
        StorageUnavailableError
            When the database does not run, or has not the tables of this version.
        """
        from trading_lib.adapters.stores.postgres.database import connect
        from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
        from trading_lib.adapters.stores.postgres.migrations import require_current_revision

        url = self.database_url
        if url is None:
            server = EmbeddedPostgres(self.folders.postgres)
            if not server.is_running():
                raise StorageUnavailableError("the embedded PostgreSQL is not running", "start it with `make up`")
            url = server.url("trading")
        engine = connect(url, application_name="trading-alerts")
        try:
            require_current_revision(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def spool(self) -> Spool:
        """Return the outbox for the time that the database is away."""
        from trading_lib.adapters.alerts.spool import Spool

        return Spool(self.folders.alerts)

    def config(self) -> MonitoringConfig:
        """Return monitoring.yaml, or the built-in values where it cannot be read: an alert never waits for that."""
        try:
            return load_monitoring(self.variables)
        except TradingError as error:
            LOG.warning("monitoring.yaml counts for nothing: %s", error)
            return MonitoringConfig()

    def mail_file(self) -> MailFile:
        """Return the file that takes what no channel does."""
        return MailFile(self.folders.mail, self.clock)

    def sender_holds_lock(self) -> bool:
        """Whether a sender of this home runs."""
        path = self.folders.alerts / LOCK_FILE
        if not path.exists():
            return False
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def raise_alert(alert: Alert, settings: Settings | None = None, variables: Mapping[str, str] | None = None) -> None:
    """Store an alert for delivery; takes less than a second and never raises.

    Where the database is away it is kept in a file that the sender reads. Where no sender runs, one is started, which
    ends when everything is sent; without any channel the alert goes into the file of mails at once.

    Parameters
    ----------
    settings
        Of the workflow that raises it; by default they are found from the environment.
    variables
        The environment, with the channels' addresses; the process' own by default.
    """
    try:
        place = Place.locate(settings, variables)
        config = place.config()
        struck = _without_secrets(alert, config, place.variables)
        served = _store(place, struck, config)
        if not served:
            _start_sender(place, config)
    except Exception as error:  # an alert never breaks what raises it
        LOG.error("an alert of %s could not be stored: %s", alert.source, type(error).__name__)


def known_secrets(config: MonitoringConfig, variables: Mapping[str, str]) -> frozenset[str]:
    """Return the secrets of the environment, and every part of the channels' addresses."""
    values = set(secret_values(variables))
    for address in channel_addresses(config.alerts, variables).values():
        if isinstance(address, str):
            values |= address_secrets(address)
    return frozenset(values)


def is_set_up(config: MonitoringConfig, variables: Mapping[str, str]) -> bool:
    """Whether an alert can reach anybody but the file."""
    return bool(config.notifiers) or bool(channel_addresses(config.alerts, variables))


def _store(place: Place, alert: Alert, config: MonitoringConfig) -> bool:
    """Store it in the database or, where that takes too long, in a file; return whether somebody serves it."""
    reference, at = uuid.uuid4().hex, place.clock()
    window = timedelta(minutes=config.alerts.repeat_minutes)
    served: list[bool] = []

    def into_database() -> None:
        from trading_lib.adapters.stores.operations.alert_store import AlertStore

        with suppress(Exception):  # whatever it is, the file takes the alert
            engine = place.engine()
            try:
                store = AlertStore(engine)
                store.add(alert, at, window, reference)
                served.append(store.sender_is_there())
            finally:
                engine.dispose()

    worker = threading.Thread(target=into_database, daemon=True, name="alert")
    worker.start()
    worker.join(STORE_SECONDS)
    if served:
        return served[0]
    place.spool().add(alert, at, window, reference)
    return place.sender_holds_lock()


def _start_sender(place: Place, config: MonitoringConfig) -> None:
    if not is_set_up(config, place.variables):
        from trading_lib.workflows.alerts.service import into_file

        into_file(place, config)
        return
    if place.sender_holds_lock():
        return
    place.folders.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {**place.variables, HOME_VARIABLE: str(place.folders.home)}
    if place.database_url:
        environment[DATABASE_VARIABLE] = place.database_url
    command = [sys.executable, "-m", "trading_lib.cli", "alerts", "send"]
    with Path(place.folders.logs / "alerts.log").open("ab") as log:
        # Nobody waits for it: it outlives this process.
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _without_secrets(alert: Alert, config: MonitoringConfig, variables: Mapping[str, str]) -> Alert:
    secrets = known_secrets(config, variables)

    def shown(text: str, longest: int) -> str:
        # Cut twice: a secret that the first cut has halved is not struck, and goes with the second.
        struck = without_secrets(UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text[: 10 * longest]), secrets)
        return struck if len(struck) <= longest else f"{struck[:longest]} [cut off, {len(text):,} characters]"

    return replace(
        alert,
        title=" ".join(shown(alert.title, LONGEST_TITLE).split()),
        text=shown(alert.text, LONGEST_TEXT),
        link=shown(alert.link, LONGEST_TEXT),
        # No index takes a long key; cut alone, two faults would be one.
        key=alert.key if _is_plain(alert.key) else sha256(alert.key.encode(errors="replace")).hexdigest(),
    )


def _is_plain(key: str) -> bool:
    return len(key) <= LONGEST_KEY and not UNPRINTABLE.search(key)

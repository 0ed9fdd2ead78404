"""What command, DAG and daily run ask for: a backup of one class and a record of it; old ones removed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trading_lib.adapters.backups.destination import Destination
from trading_lib.domain.errors import TradingError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.backup.manifest import BackupClass, Manifest
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.files import back_up_configuration, back_up_logs, back_up_state, newest_logs
from trading_lib.workflows.backups.place import BackupPlace, load_place
from trading_lib.workflows.backups.prune import prune_backups
from trading_lib.workflows.backups.records import record_backups
from trading_lib.workflows.operations.alerting import raise_alert
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)
Progress = Callable[[str], None]
# The DAG runs every hour; a day less the time that the run itself may take.
LOGS_EVERY = timedelta(hours=23)


@dataclass(frozen=True)
class Made:
    """What a job stored.

    Attributes
    ----------
    unchanged
        Nothing had to be: the newest backup holds the same.
    """

    manifests: tuple[Manifest, ...]
    unchanged: bool = False


def create_backups(
    place: BackupPlace,
    address: str | None = None,
    kind: BackupClass = BackupClass.DATABASE,
    names: Sequence[str] = (),
    progress: Progress = LOG.info,
) -> Made:
    """Make a backup of one class and record it in the trading database.

    Parameters
    ----------
    names
        Databases, or books of class state; all without.
    """
    destination = place.destination(address)
    made = _made(place, destination, kind, names, progress)
    if not made.unchanged:
        record_backups(place, destination.address, made.manifests)
    return made


@logged("backup")
def back_up(kind: str, place: BackupPlace | None = None) -> dict[str, Any]:
    """Make a backup of one class as the DAG does: to the configured destination, logs once a day."""
    active = place or load_place()
    wanted = BackupClass(kind)
    if wanted is BackupClass.LOGS:
        last = newest_logs(active.destination())
        if last is not None and active.clock() - last < LOGS_EVERY:
            return {"class": kind, "backups": [], "unchanged": True}
    made = create_backups(active, kind=wanted)
    return {
        "class": kind,
        "backups": [manifest.id for manifest in made.manifests],
        "bytes": sum(manifest.size for manifest in made.manifests),
        "unchanged": made.unchanged,
    }


@logged("remove old backups")
def prune(place: BackupPlace | None = None) -> dict[str, Any]:
    """Remove old backups from the configured destination."""
    active = place or load_place()
    return prune_backups(active, active.destination()).as_record()


def state_after_trade(book: str, place: BackupPlace | None = None) -> dict[str, Any]:
    """Back up a book's state after it traded; whatever goes wrong is an alert and never an error of the trading run."""
    try:
        active = place or load_place()
        if not active.config.state_after_trade:
            return {"backup": None, "problem": ""}
        made = create_backups(active, kind=BackupClass.STATE, names=(book,))
        return {"backup": made.manifests[0].id, "problem": ""}
    except Exception as error:
        expected = isinstance(error, TradingError)
        problem = " ".join((str(error) if expected else f"{type(error).__name__}: {error}").split())
        LOG.warning("the state of book %s was not backed up: %s", book, problem, exc_info=None if expected else error)
        raise_alert(
            Alert(
                level=AlertLevel.CRITICAL,
                title=f"the state of book {book} was not backed up after it traded",
                text=f"{problem}\nThe session itself is not affected.",
                source="backup",
                key=f"backup:state:{book}",
                book=book,
            ),
            variables=place.environment if place else None,
        )
        return {"backup": None, "problem": problem}


def _made(
    place: BackupPlace, destination: Destination, kind: BackupClass, names: Sequence[str], progress: Progress
) -> Made:
    if kind is BackupClass.DATABASE:
        return Made(tuple(back_up_databases(place, destination, names, progress)))
    if kind is BackupClass.STATE:
        return Made((back_up_state(place, destination, names),))
    if kind is BackupClass.CONFIG:
        manifest, new = back_up_configuration(place, destination)
        return Made((manifest,), unchanged=not new)
    stored = back_up_logs(place, destination)
    return Made((stored,)) if stored else Made((), unchanged=True)

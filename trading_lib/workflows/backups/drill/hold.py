"""The restore drill: the newest backups restored elsewhere, compared, and the last sessions decided again."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import URL

from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.backups.postgres_tools import restore
from trading_lib.adapters.backups.scratch_server import ScratchServer, scratch_server
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.migrations import current_revision, head_revision
from trading_lib.domain.errors import TradingError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.backup.manifest import BackupClass, Manifest
from trading_lib.workflows.backups.catalogue import Catalogue, read_catalogue
from trading_lib.workflows.backups.create import dump_database, prove
from trading_lib.workflows.backups.drill.replay import Replayed, replay_decisions
from trading_lib.workflows.backups.place import DRILL_IDENTITY_VARIABLE, TRADING, BackupPlace, load_place
from trading_lib.workflows.backups.records import record_drill
from trading_lib.workflows.backups.restore import refuse_difference
from trading_lib.workflows.backups.store import check_stored, proven_content
from trading_lib.workflows.operations.alerting import raise_alert
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)
PROVEN, UNPROVEN, NOT_ENCRYPTED = "decryption proven", "decryption unproven", "not encrypted"


class DrillFailedError(TradingError):
    """A restore drill found that something could not be restored as it was."""


@dataclass
class Drill:
    """What a drill found.

    Attributes
    ----------
    backups
        The restored ones, of the trading database first.
    recovery_seconds
        From the first byte fetched until the last table was compared.
    loss_seconds
        Age of the trading database's backup: what has happened since would be lost.
    """

    started_at: datetime
    backups: list[Manifest] = field(default_factory=list)
    decryption: str = NOT_ENCRYPTED
    recovery_seconds: float = 0.0
    loss_seconds: float = 0.0
    replayed: list[Replayed] = field(default_factory=list)
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything was as it should be."""
        return not self.problem

    @property
    def compared(self) -> str:
        """How decisions were compared, in words."""
        decided = sum(one.decided for one in self.replayed)
        if not self.replayed:
            return "no decisions"
        if decided == len(self.replayed):
            return "decision hashes"
        return f"decision hashes of {decided} sessions, stored bytes of {len(self.replayed) - decided}"

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "passed": self.passed,
            "problem": self.problem,
            "started_at": self.started_at.isoformat(),
            "backups": [manifest.id for manifest in self.backups],
            "decryption": self.decryption,
            "recovery_seconds": round(self.recovery_seconds, 2),
            "loss_seconds": round(self.loss_seconds, 1),
            "compared": self.compared,
            "sessions": [one.as_record() for one in self.replayed],
            "code_version": code_version(),
        }

    def lines(self) -> list[str]:
        """Tell a person."""
        rows = sum(sum(manifest.tables.values()) for manifest in self.backups)
        lines = [
            f"Restored:   {', '.join(manifest.id for manifest in self.backups) or 'nothing'} ({rows:,} rows)",
            f"Recovery:   {self.recovery_seconds:.1f} s",
            f"Loss:       {self.loss_seconds / 60:.1f} minutes (age of the newest backup)",
            f"Encryption: {self.decryption}",
            f"Compared:   {self.compared}",
        ]
        lines += [
            f"            {one.book} {one.session}: {one.how}{f' - {one.problem}' if one.problem else ''}"
            for one in self.replayed
            if one.problem or not one.decided
        ]
        return [*lines, *([f"Problem:    {self.problem}"] if self.problem else [])]


@logged("restore drill")
def hold_drill(place: BackupPlace | None = None, address: str | None = None, *, tell_failure: bool = True) -> Drill:
    """Hold a drill, record it and tell the operator.

    Parameters
    ----------
    tell_failure
        Whether a failure is an alert; where a task of Airflow fails by it, the task's own failure is.

    Raises
    ------
    DrillFailedError
        When anything is not as it was, or there is no backup.
    """
    active = place or load_place()
    drill = Drill(active.clock())
    try:
        destination = active.destination(address)
        catalogue = read_catalogue(destination, BackupClass.DATABASE)
        drill.backups = _newest_of_each(catalogue)
        drill.loss_seconds = (active.clock() - drill.backups[0].started_at).total_seconds()
        _restore_all(active, destination, drill)
    except TradingError as error:
        drill.problem = drill.problem or " ".join(str(error).split())
    _record(active, drill)
    if drill.passed:
        raise_alert(_alert(drill, AlertLevel.INFO, "restore drill passed"), variables=active.environment)
        return drill
    if tell_failure:
        raise_alert(_alert(drill, AlertLevel.CRITICAL, "restore drill FAILED"), variables=active.environment)
    raise DrillFailedError(f"the restore drill failed ({drill.problem})", "make a backup by hand and look into it now")


def _newest_of_each(catalogue: Catalogue) -> list[Manifest]:
    trading = catalogue.newest(BackupClass.DATABASE, TRADING)
    others: dict[str, Manifest] = {}
    for manifest in catalogue.manifests:
        if manifest.kind is BackupClass.DATABASE and manifest.database != TRADING:
            others[manifest.database] = manifest
    return [trading, *(others[name] for name in sorted(others))]


def _restore_all(place: BackupPlace, destination: Destination, drill: Drill) -> None:
    encrypted = any(manifest.encrypted_to for manifest in drill.backups)
    identity = place.drill_identity()
    drill.decryption = NOT_ENCRYPTED if not encrypted else PROVEN if identity else UNPROVEN
    with place.work_folder() as work, scratch_server(work) as scratch:
        began, trading = time.monotonic(), None
        for manifest in drill.backups:
            with TemporaryDirectory(dir=work) as folder:
                url = _restored(place, destination, manifest, scratch, Path(folder), identity)
            trading = trading or url
        drill.recovery_seconds = time.monotonic() - began
        assert trading is not None
        drill.replayed = _replay(place, trading, work)
    wrong = [one for one in drill.replayed if one.problem]
    if wrong:
        first = wrong[0]
        more = f" and {len(wrong) - 1} more" if wrong[1:] else ""
        drill.problem = f"session {first.session} of book {first.book}{more}: {first.problem}"


def _restored(
    place: BackupPlace,
    destination: Destination,
    manifest: Manifest,
    scratch: ScratchServer,
    work: Path,
    identity: Path | None,
) -> URL:
    url = scratch.new_database()
    if manifest.encrypted_to and identity is None:
        # What cannot be opened here is read back and compared; the database as it is now stands in for its content.
        check_stored(destination, manifest)
        source = place.databases()[manifest.database]
        dump = work / "dump"
        prove(dump, dump_database(source, dump, place.config.jobs), url, manifest.database, place.config.jobs)
        return url
    content = proven_content(place, destination, manifest, work, identity)
    restore(content, url, place.config.jobs)
    refuse_difference(url, manifest)
    return url


def _replay(place: BackupPlace, url: URL, work: Path) -> list[Replayed]:
    address = url.render_as_string(hide_password=False)
    if not place.config.drill.sessions or current_revision(address) != head_revision():
        return []
    home = work / "home"
    home.mkdir(mode=0o700)
    try:
        settings: Settings | None = replace(
            load_settings(place.environment, place.clock),
            database_url=address,
            folders=StackFolders(home, place.folders.project),
        )
    except TradingError as error:
        LOG.warning("sessions are not decided again: %s", error)
        settings = None
    engine = connect(address, application_name="trading-drill")
    try:
        return replay_decisions(engine, settings, place.config.drill.sessions)
    finally:
        engine.dispose()


def _record(place: BackupPlace, drill: Drill) -> None:
    row = {
        "started_at": drill.started_at,
        "backup": drill.backups[0].id if drill.backups else "",
        "passed": drill.passed,
        "problem": drill.problem,
        "decryption": drill.decryption,
        "compared": drill.compared,
        "sessions": len(drill.replayed),
        "recovery_seconds": drill.recovery_seconds,
        "loss_seconds": drill.loss_seconds,
        "code_version": code_version(),
        "detail": drill.as_record(),
    }
    try:
        record_drill(place, row)
    except TradingError as error:
        drill.problem = drill.problem or f"it could not be recorded: {' '.join(str(error).split())}"


def _alert(drill: Drill, level: AlertLevel, title: str) -> Alert:
    key = DRILL_IDENTITY_VARIABLE
    lines = drill.lines()
    if drill.decryption == UNPROVEN:
        lines.append(f"Name the file of the drill's private key in {key} to prove that backups can be opened.")
    outcome = "passed" if drill.passed else "failed"
    return Alert(level, title, "\n".join(lines), "restore_drill", f"restore_drill:{outcome}")

"""Records of backups and restore drills in the trading database: gates and the cockpit read them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.stores.operations.backup_records import BackupRecords
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.errors import TradingError
from trading_lib.monitoring.backup.manifest import Manifest
from trading_lib.workflows.backups.place import TRADING, BackupPlace

LOG = logging.getLogger(__name__)


def record_backups(place: BackupPlace, address: str, manifests: Sequence[Manifest]) -> None:
    """Record finished backups; a database that cannot take the record makes none of them less of a backup."""
    try:
        with _engine(place) as engine:
            for manifest in manifests:
                BackupRecords(engine).add_backup(manifest, address)
    except TradingError as error:
        LOG.warning("the backups were made, but not recorded in the database: %s", error)


def record_drill(place: BackupPlace, drill: dict[str, Any]) -> None:
    """Record a restore drill."""
    with _engine(place) as engine:
        BackupRecords(engine).add_drill(drill)


@contextmanager
def _engine(place: BackupPlace) -> Iterator[Engine]:
    url = place.databases()[TRADING]
    engine = connect(url.render_as_string(hide_password=False), application_name="trading-backup")
    try:
        yield engine
    finally:
        engine.dispose()

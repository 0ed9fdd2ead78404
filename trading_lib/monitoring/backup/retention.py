"""Which backups may go. Input: manifests, the time, the days of each class. Output: the expired ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from trading_lib.monitoring.backup.config import RetentionConfig
from trading_lib.monitoring.backup.manifest import Manifest


def expired(manifests: Iterable[Manifest], now: datetime, retention: RetentionConfig) -> list[Manifest]:
    """Return the backups older than their class allows, oldest first, but never the newest ones of their kind.

    What counts as its kind is class and database: were backups to stop, the last of each would stay for good.
    """
    stored = sorted(manifests, key=lambda manifest: (manifest.started_at, manifest.id))
    kinds: dict[tuple[str, str], list[str]] = {}
    for manifest in stored:
        kinds.setdefault((manifest.kind, manifest.database), []).append(manifest.id)
    kept = {name for names in kinds.values() for name in names[-retention.at_least :]}
    return [
        manifest
        for manifest in stored
        if manifest.id not in kept and now - manifest.started_at > timedelta(days=retention.days(manifest.kind))
    ]


def at_or_before(manifests: Iterable[Manifest], moment: datetime | None) -> Manifest | None:
    """Return the newest backup whose state is not after ``moment``; None when there is none."""
    # What started before is the state of that instant: the snapshot is taken first.
    fitting = [manifest for manifest in manifests if moment is None or manifest.started_at <= moment]
    return max(fitting, key=lambda manifest: (manifest.started_at, manifest.id), default=None)

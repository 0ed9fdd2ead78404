"""What the registry knows of models: a training, a registered version, and the aliases that versions had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

# The one model there is: it ranks the assets of the universe.
RANKING = "asset-ranking"
# Bytes of a file, and files of a model.
LARGEST_FILE = 16 * 1024**2
MOST_FILES = 32


class Alias(StrEnum):
    """What a version is used for.

    A candidate is only kept, a challenger is asked every session and traded in a book of its own, the champion may
    be traded on. There is at most one challenger and one champion; a version without an alias is retired.
    """

    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class StoredTraining:
    """A training that is finished.

    Attributes
    ----------
    id
        Of what was asked for, and of what it ran on: the same training again is the same one.
    first, last
        Sessions of the window.
    features
        Names of the columns, in order.
    request, configuration, report
        Plain values: what the training was asked for, learning.yaml as it was, and what it found.
    mlflow_run
        "" where MLflow took none.
    """

    id: str
    first: date
    last: date
    data_source: str
    data_hash: str
    features: tuple[str, ...]
    request: Mapping[str, Any]
    configuration: Mapping[str, Any]
    config_hash: str
    code_version: str
    seed: int
    mlflow_run: str
    report: Mapping[str, Any]
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A registered version.

    Attributes
    ----------
    version
        From 1; 0 before it is registered.
    training
        Id of the training it is from.
    trained_until
        Last session of that training's window.
    files
        Name -> SHA-256 of each native file.
    sha256
        Of kind, features and files: `model_digest`.
    evidence
        `ModelEvidence.report`.
    ranges
        Feature -> its least and largest value in training; NaN where it had none.
    certificate
        What another machine needs to come to the same model, as canonical JSON; "" where it cannot be recomputed.
    contents
        Name -> bytes of the files as they were found, unchecked; empty where they were not asked for.
    """

    name: str
    version: int
    kind: str
    training: str
    trained_until: date
    features: tuple[str, ...]
    files: Mapping[str, str]
    sha256: str
    data_hash: str
    evidence: Mapping[str, Any]
    ranges: Mapping[str, tuple[float, float]]
    certificate: str
    created_at: datetime
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def described(self) -> str:
        """The model in words."""
        return f"model version {self.version} ({self.kind})" if self.version else f"the {self.kind} model"


@dataclass(frozen=True, slots=True)
class AliasChange:
    """A version got an alias, or lost it (None).

    Attributes
    ----------
    number
        In the order of changes, from 1; 0 before it is stored.
    """

    version: int
    alias: Alias | None
    reason: str
    by: str
    at: datetime
    number: int = 0


@dataclass(frozen=True, slots=True)
class Aliases:
    """The aliases of all versions, and how they came to them.

    Attributes
    ----------
    history
        Oldest first.
    """

    history: tuple[AliasChange, ...] = field(default=())

    @property
    def current(self) -> dict[int, AliasChange]:
        """Version -> its newest change."""
        return {change.version: change for change in self.history}

    def holder(self, alias: Alias) -> int | None:
        """Version that has an alias now; the newest where several have it."""
        held = [change for change in self.current.values() if change.alias is alias]
        return max(held, key=lambda change: change.number).version if held else None

    def of(self, version: int) -> Alias | None:
        """Alias of a version now."""
        change = self.current.get(version)
        return change.alias if change else None

    def named_challenger(self, version: int, reason: str, by: str, at: datetime) -> list[AliasChange]:
        """Return what changes for a version to be challenger; the champion stays that, and the challenger too."""
        before = self.holder(Alias.CHALLENGER)
        if version in (before, self.holder(Alias.CHAMPION)):
            return []
        ended = [] if before is None else [AliasChange(before, None, f"superseded by version {version}", by, at)]
        return [*ended, AliasChange(version, Alias.CHALLENGER, reason, by, at)]

    def earlier_champions(self) -> tuple[int, ...]:
        """Versions to go back to, the latest first: champions before the last, save those that were gone back from."""
        crowned: list[int] = []
        for change in self.history:
            if change.alias is Alias.CHAMPION:
                again = change.version in crowned
                crowned = crowned[: crowned.index(change.version) + 1] if again else [*crowned, change.version]
        return tuple(reversed(crowned[:-1]))

    def ever(self, alias: Alias) -> tuple[int, ...]:
        """Versions that ever had an alias, each once, in the order in which they first got it."""
        return tuple(dict.fromkeys(change.version for change in self.history if change.alias is alias))


def file_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Name -> SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def model_digest(kind: str, features: Sequence[str], digests: Mapping[str, str]) -> str:
    """SHA-256 of a whole model: its kind, the names and order of its columns, and its files."""
    return hashlib.sha256(canonical([kind, list(features), dict(digests)]).encode()).hexdigest()


def canonical(value: Any) -> str:
    """Return plain values as JSON, always the same text for the same values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

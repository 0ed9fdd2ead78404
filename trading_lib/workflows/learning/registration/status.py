"""What is told of the registry: who is champion since when and why, and what would replace it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.learning.registered import Alias, AliasChange, Aliases, StoredModel, StoredTraining
from trading_lib.learning.verification import TamperedModelError
from trading_lib.workflows.learning.registration.mirror import agreement
from trading_lib.workflows.learning.registration.opening import require_as_registered

if TYPE_CHECKING:
    from pathlib import Path

    from trading_lib.adapters.stores.learning.model_store import ModelStore
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]


def model_status(settings: Settings) -> Result:
    """Return champion, challenger and candidates, what would replace what, the next training, and MLflow's view."""
    from trading_lib.workflows.learning.registration.comparing import compared, succession

    engine = settings.engine()
    store = _store(settings)
    aliases, models = store.aliases(), {model.version: model for model in store.versions()}
    newest = next(iter(store.trainings(limit=1)), None)
    champion, challenger = (_of_holder(alias, aliases, models) for alias in (Alias.CHAMPION, Alias.CHALLENGER))
    comparison = None
    if challenger is not None:
        comparison = compared(engine, challenger["version"], settings.configuration.learning)
    said = succession(
        aliases.holder(Alias.CHAMPION), aliases.holder(Alias.CHALLENGER), comparison, trained=newest is not None
    )
    return {
        "champion": champion,
        "challenger": challenger,
        "comparison": None if comparison is None else asdict(comparison),
        "candidates": [
            _told(models[version], change)
            for version, change in sorted(aliases.current.items())
            if change.alias is Alias.CANDIDATE
        ],
        "verdict": list(said),
        "problems": _problems(store, models, [champion, challenger]),
        "last_training": None if newest is None else _of_training(newest),
        "next_training": _next_training(settings, newest),
        "mlflow": agreement(settings, store),
    }


def model_list(settings: Settings) -> Result:
    """Return every version, the newest first."""
    store = _store(settings)
    current = store.aliases().current
    return {"models": [_told(model, current.get(model.version)) for model in store.versions()]}


def alias_history(settings: Settings, version: int | None = None) -> Result:
    """Return every alias that was given or taken, oldest first; of one version, or of all."""
    store = _store(settings)
    if version is not None:
        store.version(version)
    return {
        "history": [
            _of_change(change) for change in store.aliases().history if version is None or change.version == version
        ]
    }


def export(settings: Settings, version: int, folder: Path) -> Result:
    """Write a version, its files and its certificate into a new folder."""
    from trading_lib.adapters.files.model_folder import write_model_folder

    store = _store(settings)
    model = store.with_files(store.version(version))
    written = write_model_folder(folder, model)
    return {"version": version, "model": model.kind, "sha256": model.sha256, "files": [str(path) for path in written]}


def _problems(store: ModelStore, models: dict[int, StoredModel], held: list[Result | None]) -> list[str]:
    """Say which of the versions that are used have other files than were registered."""
    found = []
    for model in held:
        try:
            if model is not None:
                require_as_registered(store.with_files(models[model["version"]]))
        except TamperedModelError as error:
            found.append(str(error))
    return found


def _next_training(settings: Settings, newest: StoredTraining | None) -> str | None:
    """Return the session after which the calendar retrains, None where it does not."""
    life = settings.configuration.learning.lifecycle
    if not life.month_end:
        return None
    calendar = settings.calendar
    first = calendar.latest_decidable(settings.clock())
    if newest is not None and newest.last >= calendar.sessions[0]:
        trained = np.searchsorted(calendar.sessions, np.datetime64(newest.last), side="right") - 1
        spaced = min(int(trained) + life.spacing, len(calendar.sessions) - 1)
        first = max(first, calendar.sessions[spaced].astype(object))
    ahead = calendar.sessions[calendar.sessions >= np.datetime64(first)]
    months = ahead.astype("datetime64[M]")
    ends = np.flatnonzero(months[1:] != months[:-1])
    return str(ahead[ends[0]]) if len(ends) else None


def _of_holder(alias: Alias, aliases: Aliases, models: dict[int, StoredModel]) -> Result | None:
    version = aliases.holder(alias)
    return None if version is None else _told(models[version], aliases.current[version])


def _told(model: StoredModel, change: AliasChange | None) -> Result:
    return {
        "version": model.version,
        "model": model.kind,
        "alias": None if change is None or change.alias is None else str(change.alias),
        "since": None if change is None else change.at.isoformat(),
        "why": None if change is None else change.reason,
        "by": None if change is None else change.by,
        "trained_until": model.trained_until.isoformat(),
        "training": model.training,
        "ic_mean": model.evidence.get("ic_mean"),
        "sha256": model.sha256,
    }


def _of_training(training: StoredTraining) -> Result:
    return {
        "training": training.id,
        "from": training.first.isoformat(),
        "to": training.last.isoformat(),
        "data_source": training.data_source,
        "finished_at": training.finished_at.isoformat(),
        "code_version": training.code_version,
        "mlflow_run": training.mlflow_run,
    }


def _of_change(change: AliasChange) -> Result:
    return {
        "number": change.number,
        "version": change.version,
        "alias": None if change.alias is None else str(change.alias),
        "reason": change.reason,
        "by": change.by,
        "at": change.at.isoformat(),
    }


def _store(settings: Settings) -> ModelStore:
    from trading_lib.adapters.stores.learning.model_store import ModelStore

    return ModelStore(settings.engine())

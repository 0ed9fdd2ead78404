"""MLflow's registry follows the database; where MLflow is away, it follows later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.learning.registered import Alias, AliasChange, Aliases, StoredModel
from trading_lib.workflows.learning.registration.comparing import compared, succession
from trading_lib.workflows.research.tracking import tracking_uri
from trading_lib.workflows.setup.settings import Settings

if TYPE_CHECKING:
    from trading_lib.adapters.mlflow.registry import MirroredVersion
    from trading_lib.adapters.stores.learning.model_store import ModelStore

NOT_RUNNING = "no MLflow is running"
# Of a model's evidence, shown beside its version.
FIGURES = ("ic_mean", "ic_t_nw", "ic_null_p", "timing_null_p", "beats_baseline_p", "train_gap")
MIRRORED = (Alias.CHALLENGER, Alias.CHAMPION)


def mirror(settings: Settings, store: ModelStore) -> str:
    """Let MLflow's registry have the versions and aliases of the database; return why not, "" when it has.

    A version whose training was logged to no run of MLflow is left out.
    """
    address = tracking_uri(settings)
    if address is None:
        return NOT_RUNNING
    from trading_lib.adapters.mlflow.registry import MlflowRegistry

    registry = MlflowRegistry(address, store.name)
    try:
        known = {(found.version, found.sha256) for found in registry.versions()}
        for model in reversed(store.versions()):
            training = store.training(model.training)
            if (model.version, model.sha256) not in known and training.mlflow_run:
                tags = {"training": training.id, "code_version": training.code_version}
                tags |= {"config_hash": training.config_hash, "data_source": training.data_source}
                tags |= {
                    name: f"{model.evidence[name]:.4g}" for name in FIGURES if model.evidence.get(name) is not None
                }
                registry.add(store.with_files(model), training.mlflow_run, tags)
        aliases = store.aliases()
        registry.set_aliases({alias: aliases.holder(alias) for alias in MIRRORED})
        about = {model.version: _described(model, aliases.current.get(model.version)) for model in store.versions()}
        registry.describe(about, _succession(settings, aliases))
    except StorageUnavailableError as error:
        return str(error)
    return ""


def _described(model: StoredModel, change: AliasChange | None) -> str:
    """Say what a version is, and why it has its alias."""
    text = f"{model.kind}, trained until {model.trained_until}"
    if change is None:
        return text
    return f"{text}; {change.alias or 'retired'} since {change.at:%Y-%m-%d} by {change.by}: {change.reason}"


def _succession(settings: Settings, aliases: Aliases) -> str:
    champion, challenger = (aliases.holder(alias) for alias in (Alias.CHAMPION, Alias.CHALLENGER))
    comparison = None
    if challenger is not None:
        comparison = compared(settings.engine(), challenger, settings.configuration.learning)
    return "\n\n".join(succession(champion, challenger, comparison, trained=True))


def agreement(settings: Settings, store: ModelStore) -> dict[str, Any]:
    """Compare MLflow's registry with the database: whether it was reached, and where it differs in words."""
    address = tracking_uri(settings)
    if address is None:
        return {"reached": False, "problem": NOT_RUNNING, "differences": []}
    from trading_lib.adapters.mlflow.registry import MlflowRegistry

    try:
        mirrored = MlflowRegistry(address, store.name).versions()
    except StorageUnavailableError as error:
        return {"reached": False, "problem": str(error), "differences": []}
    return {"reached": True, "problem": "", "differences": differences(store.versions(), store.aliases(), mirrored)}


def differences(models: list[StoredModel], aliases: Aliases, mirrored: list[MirroredVersion]) -> list[str]:
    """Say in words where MLflow has other versions or aliases than the database."""
    found = []
    there = {one.version: one for one in mirrored}
    for model in models:
        one = there.get(model.version)
        if one is None:
            found.append(f"version {model.version} is not in MLflow")
        elif one.sha256 != model.sha256:
            found.append(f"version {model.version} is another model in MLflow ({one.sha256[:12]})")
    own = {model.version for model in models}
    found += [
        f"MLflow has version {one.number}, which is not in the database" for one in mirrored if one.version not in own
    ]
    for alias in MIRRORED:
        here = aliases.holder(alias)
        named = sorted(one.version for one in mirrored if str(alias) in one.aliases)
        if named != ([] if here is None else [here]):
            theirs = ", ".join(f"version {version}" for version in named) or "none"
            found.append(f"the {alias} is {'none' if here is None else f'version {here}'}, and {theirs} in MLflow")
    return found

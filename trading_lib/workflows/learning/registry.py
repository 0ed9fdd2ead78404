"""The registry of models: what passed is registered, a challenger may become champion, and what was can come back.

The database is the authority. A model is read from it by checked native files alone, never by MLflow's loaders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import Alias, AliasChange, Aliases, StoredModel
from trading_lib.workflows.learning.registration.aliases import PromotionRefusedError as PromotionRefusedError
from trading_lib.workflows.learning.registration.aliases import challenge as challenge
from trading_lib.workflows.learning.registration.aliases import promote as promote
from trading_lib.workflows.learning.registration.aliases import retire as retire
from trading_lib.workflows.learning.registration.aliases import rollback as rollback
from trading_lib.workflows.learning.registration.opening import challenger as challenger
from trading_lib.workflows.learning.registration.opening import champion as champion
from trading_lib.workflows.learning.registration.opening import open_folder as open_folder
from trading_lib.workflows.learning.registration.opening import open_model as open_model
from trading_lib.workflows.learning.registration.opening import stored_model as stored_model
from trading_lib.workflows.learning.training.request import EXPERIMENT

if TYPE_CHECKING:
    from datetime import datetime

    from trading_lib.workflows.learning.train import TrainingRun
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
# Who gives a new version its alias.
TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Registration:
    """What came of registering a training.

    Attributes
    ----------
    training
        Its id in the registry.
    versions
        Of the kinds that passed, in their order; those that were registered before, too.
    new
        Versions that this made.
    challenger
        The challenger now, None without one.
    mlflow
        Why MLflow's registry does not show it; "" where it does.
    """

    training: str
    versions: tuple[StoredModel, ...]
    new: tuple[int, ...]
    challenger: int | None
    mlflow: str

    def report(self) -> Result:
        """Plain values, for a report."""
        return {
            "training": self.training,
            "versions": [
                {
                    "version": model.version,
                    "model": model.kind,
                    "sha256": model.sha256,
                    "new": model.version in self.new,
                }
                for model in self.versions
            ],
            "challenger": self.challenger,
            "mlflow": self.mlflow,
        }


def register(settings: Settings, run: TrainingRun, mlflow_run: str = "") -> Registration:
    """Store a training, and register those of its models that passed; the best of them becomes the challenger.

    The same model of the same data is the same version, also when two do this at once; the best becomes challenger
    again if it was retired since. Nothing that did not pass is registered; the champion is left alone.

    Parameters
    ----------
    mlflow_run
        Run of MLflow that the training was logged to; "" where there is none.

    Raises
    ------
    InputError
        When the training learned from assets that predictions do not rank.
    """
    if run.request.universe_extra is not None:
        raise InputError(f"nothing is registered of {EXPERIMENT}", "train without --universe-extra")
    from trading_lib.adapters.stores.learning.lifecycle_store import LifecycleStore, ModelEvent
    from trading_lib.adapters.stores.learning.model_store import ModelStore
    from trading_lib.workflows.learning.registration.draft import draft_of, importances_of, training_of
    from trading_lib.workflows.learning.registration.mirror import mirror

    engine = settings.engine()
    store, life = ModelStore(engine), LifecycleStore(engine)
    training = training_of(run, mlflow_run)
    first_time = store.save_training(training)
    best = max(run.passed, key=lambda kind: run.evidence[kind].ic_mean, default=None)
    versions, new = [], []
    for kind in run.passed:
        draft = draft_of(run, training, kind)
        reason = f"passed in training {training.id}, mean IC {run.evidence[kind].ic_mean:.3f}"
        decide = _alias(kind == best, reason, settings.clock())
        stored, is_new = store.register(draft, draft.contents, decide, decide)
        versions.append(stored)
        if is_new:
            new.append(stored.version)
        shares = importances_of(run, kind)
        if sum(shares.values()) > 0:
            life.save_importances(stored.version, shares)
    if first_time:
        told = f"{', '.join(run.passed)} passed" if run.passed else "no model passed"
        event = ModelEvent("trained", told, TRAINING, settings.clock(), detail={"training": training.id})
        life.add_event(event)
    problem = mirror(settings, store) if versions else ""
    return Registration(training.id, tuple(versions), tuple(new), store.aliases().holder(Alias.CHALLENGER), problem)


def _alias(is_best: bool, reason: str, at: datetime) -> Any:
    def decide(new: StoredModel, aliases: Aliases) -> Sequence[AliasChange]:
        known = new.version in aliases.current
        if is_best:
            said = f"the same model {reason}" if known else reason
            return aliases.named_challenger(new.version, said, TRAINING, at)
        return [] if known else [AliasChange(new.version, Alias.CANDIDATE, reason, TRAINING, at)]

    return decide

"""What passed is registered once, what is better may become champion when an operator says so, and can be undone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from tests.builders.settings import make_settings
from tests.environment.finished_training import BASELINE, finished_training, noise
from trading_lib.adapters.stores.learning.lifecycle_store import IC_READING, LifecycleStore, Reading
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import Alias
from trading_lib.learning.verification import TamperedModelError
from trading_lib.workflows.learning.registration import comparing
from trading_lib.workflows.learning.registry import (
    PromotionRefusedError,
    challenge,
    challenger,
    champion,
    open_model,
    promote,
    register,
    retire,
    rollback,
    stored_model,
)
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres

BETTER = noise(0.06)


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


@pytest.fixture
def store(settings: Settings) -> ModelStore:
    return ModelStore(settings.engine())


def crown(settings: Settings, seed: int, gain: float) -> int:
    """Register a model that beats what is there by ``gain``, and promote it."""
    run = finished_training({"ridge": noise(gain, seed=seed), BASELINE: noise(0.0, seed=99)}, seed=seed)
    (model,) = register(settings, run).versions
    promote(settings, model.version, "Ada")
    return model.version


def test_nothing_is_registered_that_did_not_pass(settings: Settings, store: ModelStore) -> None:
    registered = register(settings, finished_training(passed=False))
    assert (registered.versions, registered.challenger) == ((), None)
    assert store.versions() == []
    assert [training.id for training in store.trainings()] == [registered.training]
    (event,) = LifecycleStore(settings.engine()).events()
    assert (event.kind, event.text) == ("trained", "no model passed")


def test_nothing_is_registered_of_a_training_with_further_assets(settings: Settings, store: ModelStore) -> None:
    run = finished_training()
    with pytest.raises(InputError, match="an experiment with further assets, never registered"):
        register(settings, replace(run, request=replace(run.request, universe_extra=Path("further"))))
    assert store.versions() == []
    assert store.trainings() == []


def test_the_best_of_a_training_becomes_challenger_and_the_others_candidates(
    settings: Settings, store: ModelStore
) -> None:
    registered = register(settings, finished_training(ics={"ridge": 0.05, "lightgbm": 0.07, "xgboost": 0.06}))
    assert registered.report()["challenger"] == registered.challenger == 2
    assert {model.kind: store.aliases().of(model.version) for model in registered.versions} == {
        "ridge": Alias.CANDIDATE,
        "lightgbm": Alias.CHALLENGER,
        "xgboost": Alias.CANDIDATE,
    }
    assert champion(settings.engine()) is None


def test_the_same_training_again_is_the_same_version(settings: Settings, store: ModelStore) -> None:
    first = register(settings, finished_training())
    again = register(settings, finished_training())
    assert (first.new, again.new) == ((1,), ())
    assert first.versions[0].version == again.versions[0].version == 1
    assert len(store.aliases().history) == 1
    assert len(LifecycleStore(settings.engine()).events()) == 1


def test_a_retired_model_that_passes_again_is_challenger_again_and_the_history_says_why(
    settings: Settings, store: ModelStore
) -> None:
    training = register(settings, finished_training()).training
    retire(settings, 1, "Ada", "a feature is wrong")
    again = register(settings, finished_training())
    assert (again.new, again.challenger) == ((), 1)
    assert store.aliases().current[1].reason.startswith(f"the same model passed in training {training}")


def test_a_superseded_model_that_passes_again_supersedes_the_newer_one(settings: Settings, store: ModelStore) -> None:
    register(settings, finished_training())
    register(settings, finished_training(seed=1))
    assert register(settings, finished_training()).challenger == 1
    assert store.aliases().current[2].reason == "superseded by version 1"


def test_a_champion_that_passes_again_stays_champion_and_the_challenger_challenger(
    settings: Settings, store: ModelStore
) -> None:
    run = finished_training({"ridge": BETTER, BASELINE: noise(0.0, seed=99)})
    register(settings, run)
    promote(settings, 1, "Ada")
    register(settings, finished_training(seed=2))
    assert register(settings, run).challenger == 2
    assert store.aliases().holder(Alias.CHAMPION) == 1


def test_an_operator_names_a_candidate_or_a_retired_version_the_challenger(
    settings: Settings, store: ModelStore
) -> None:
    register(settings, finished_training(ics={"ridge": 0.05, "lightgbm": 0.07}))
    assert challenge(settings, 1, "Ada", "it is simpler")["alias"] == "challenger"
    assert store.aliases().current[2].reason == "superseded by version 1"
    retire(settings, 1, "Ada", "a feature is wrong")
    assert challenge(settings, 1, "Ada", "it was right")["reason"] == "it was right"
    assert store.aliases().holder(Alias.CHALLENGER) == 1


@pytest.mark.parametrize(
    ("version", "operator", "reason", "problem"),
    [
        (1, "Ada", "why not", "version 1 is the champion"),
        (2, "Ada", "why not", "version 2 is the challenger"),
        (9, "Ada", "why not", "there is no model version 9"),
        (1, " ", "why not", "a challenge needs the name"),
        (1, "Ada", " ", "a challenge needs a reason"),
    ],
)
def test_what_is_in_use_or_unknown_is_not_named_challenger(
    settings: Settings, store: ModelStore, version: int, operator: str, reason: str, problem: str
) -> None:
    crown(settings, 1, 0.05)
    register(settings, finished_training(seed=2))
    before = store.aliases()
    with pytest.raises(InputError, match=problem):
        challenge(settings, version, operator, reason)
    assert store.aliases() == before


def test_two_at_once_register_one_version(settings: Settings, store: ModelStore) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: register(settings, finished_training()), range(2)))
    assert sorted(len(one.new) for one in found) == [0, 1]
    assert len(store.versions()) == 1


def test_a_newer_challenger_supersedes_the_one_before(settings: Settings, store: ModelStore) -> None:
    register(settings, finished_training())
    assert register(settings, finished_training(seed=1)).challenger == 2
    assert store.aliases().of(1) is None
    assert store.aliases().current[1].reason == "superseded by version 2"


def test_a_stored_model_scores_as_the_trained_one_did(settings: Settings) -> None:
    run = finished_training()
    register(settings, run)
    stored = challenger(settings.engine())
    assert stored is not None
    x, features = run.dataset.x[:50], run.dataset.features
    assert np.array_equal(open_model(stored).predict(x, features), run.models["ridge"].predict(x, features))
    shares = LifecycleStore(settings.engine()).importances(stored.version)
    assert shares == dict.fromkeys(features, 0.2)
    assert stored.ranges == {name: (x_.min(), x_.max()) for name, x_ in zip(features, run.dataset.x.T, strict=True)}


def test_a_model_whose_stored_file_is_missing_is_not_opened(settings: Settings, store: ModelStore) -> None:
    register(settings, finished_training())
    with pytest.raises(TamperedModelError, match=r"model version 1 \(ridge\) lacks its file ridge\.json"):
        open_model(store.version(1))


def test_the_first_champion_must_beat_the_best_untrained_baseline(settings: Settings, store: ModelStore) -> None:
    register(settings, finished_training({"ridge": noise(0.02), BASELINE: noise(0.02, seed=1)}))
    with pytest.raises(PromotionRefusedError, match=f"version 1 does not replace {BASELINE}: mean IC") as refused:
        promote(settings, 1, "Ada")
    assert refused.value.exit_code == 1
    assert store.aliases().of(1) is Alias.CHALLENGER
    event = LifecycleStore(settings.engine()).events("promotion refused")[0]
    assert (event.version, event.caused_by) == (1, "Ada")
    register(settings, finished_training({"ridge": BETTER, BASELINE: noise(0.02, seed=1)}, seed=1))
    result = promote(settings, 2, "Ada", "looked at the pictures")
    assert (result["champion"], result["champion_before"], result["by"]) == (2, None, "Ada")
    assert result["reason"].endswith("; looked at the pictures")
    assert Path(result["certificate"]).read_text() == store.version(2).certificate
    found = champion(settings.engine())
    assert found is not None
    assert found.version == 2


def test_the_next_champion_must_beat_the_champion(settings: Settings, store: ModelStore) -> None:
    assert crown(settings, 1, 0.06) == 1
    register(settings, finished_training({"ridge": noise(0.065, seed=2), BASELINE: noise(0.0)}, seed=2))
    with pytest.raises(PromotionRefusedError, match="does not replace version 1"):
        promote(settings, 2, "Ada")
    assert crown(settings, 3, 0.12) == 3
    aliases = store.aliases()
    assert (aliases.holder(Alias.CHAMPION), aliases.of(1)) == (3, None)
    assert aliases.current[1].reason == "replaced by version 3"


def test_what_was_predicted_since_counts_in_a_promotion(settings: Settings, engine: Engine) -> None:
    """The cross-validation of both is the same; the sessions since then decide."""
    one = finished_training({"ridge": BETTER, BASELINE: noise(0.0, seed=1)})
    register(settings, one)
    promote(settings, 1, "Ada")
    register(settings, finished_training({"ridge": BETTER, BASELINE: noise(0.0)}, seed=1))
    with pytest.raises(PromotionRefusedError):
        promote(settings, 2, "Ada")
    later = settings.calendar.between(one.request.last, settings.clock().date())[1:401].tolist()
    readings = [
        Reading(version, day, IC_READING, float(value))
        for version, mean in ((1, 0.0), (2, 0.1))
        for day, value in zip(later, noise(mean, len(later), seed=version), strict=True)
    ]
    LifecycleStore(settings.engine()).save_readings(readings, settings.clock())
    assert promote(settings, 2, "Ada")["champion"] == 2


@pytest.mark.parametrize(
    ("version", "operator", "problem"),
    [
        (1, " ", "a promotion needs the name of who approves it: give --operator NAME"),
        (1, "Ada", "version 1 is retired, and only the challenger is promoted"),
        (2, "Ada", "version 2 is a candidate, and only the challenger"),
        (9, "Ada", "there is no model version 9"),
    ],
)
def test_only_the_challenger_is_promoted_and_by_somebody(
    settings: Settings, version: int, operator: str, problem: str
) -> None:
    register(settings, finished_training())
    register(settings, finished_training(ics={"lightgbm": 0.05, "xgboost": 0.06}, seed=1))
    with pytest.raises(InputError, match=problem):
        promote(settings, version, operator)
    assert champion(settings.engine()) is None


def test_a_rollback_brings_the_champion_before_back_step_by_step(settings: Settings, store: ModelStore) -> None:
    assert [crown(settings, seed, gain) for seed, gain in ((1, 0.05), (2, 0.1), (3, 0.15))] == [1, 2, 3]
    assert rollback(settings, "Ada", "strange scores")["champion"] == 2
    assert store.aliases().current[3].reason == "rolled back to version 2: strange scores"
    assert rollback(settings, "Ada", "this one too")["champion"] == 1
    with pytest.raises(InputError, match="no earlier champion"):
        rollback(settings, "Ada", "and this one")
    assert rollback(settings, "Ada", "it was the data", to=3)["champion"] == 3
    with pytest.raises(InputError, match="version 3 is the champion"):
        rollback(settings, "Ada", "again", to=3)


def test_after_a_retirement_a_rollback_brings_back_the_champion_before_the_retired_one(settings: Settings) -> None:
    crown(settings, 1, 0.05)
    crown(settings, 2, 0.1)
    assert retire(settings, 2, "lifecycle", "decayed")["champion"] is None
    assert champion(settings.engine()) is None
    with pytest.raises(InputError, match="version 2 is retired already"):
        retire(settings, 2, "lifecycle", "decayed")
    assert rollback(settings, "Ada", "better than none")["champion"] == 1


def test_a_rollback_to_what_never_was_champion_is_refused(settings: Settings) -> None:
    crown(settings, 1, 0.05)
    register(settings, finished_training(seed=2))
    with pytest.raises(InputError, match="version 2 was never champion"):
        rollback(settings, "Ada", "why not", to=2)
    with pytest.raises(InputError, match="needs a reason"):
        rollback(settings, "Ada", " ")
    with pytest.raises(InputError, match="needs a reason"):
        retire(settings, 1, "Ada", "")


def test_a_rollback_to_a_model_that_cannot_be_read_changes_nothing(
    settings: Settings, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown(settings, 1, 0.05)
    crown(settings, 2, 0.1)
    monkeypatch.setattr(ModelStore, "with_files", lambda self, model: model)
    with pytest.raises(TamperedModelError, match=r"model version 1 \(ridge\) lacks"):
        rollback(settings, "Ada", "strange scores")
    assert store.aliases().holder(Alias.CHAMPION) == 2


def test_a_challenger_that_cannot_be_read_does_not_replace_the_champion(
    settings: Settings, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown(settings, 1, 0.05)
    register(settings, finished_training({"ridge": BETTER, BASELINE: noise(0.0)}, seed=2))
    monkeypatch.setattr(ModelStore, "with_files", lambda self, model: model)
    with pytest.raises(TamperedModelError, match=r"model version 2 \(ridge\) lacks"):
        promote(settings, 2, "Ada")
    assert store.aliases().holder(Alias.CHAMPION) == 1


def test_a_champion_that_changes_while_a_promotion_is_weighed_stops_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    crown(settings, 1, 0.05)
    register(settings, finished_training({"ridge": noise(0.1, seed=2), BASELINE: noise(0.0)}, seed=2))
    right = comparing.compared

    def meanwhile(*arguments: object) -> object:
        retire(settings, 1, "Grace", "found a fault")
        return right(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(comparing, "compared", meanwhile)
    with pytest.raises(InputError, match="the champion has just changed"):
        promote(settings, 2, "Ada")
    assert champion(settings.engine()) is None


def test_an_unknown_version_is_named(settings: Settings) -> None:
    with pytest.raises(InputError, match="there is no model version 4"):
        stored_model(settings.engine(), 4)

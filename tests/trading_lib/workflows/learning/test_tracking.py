"""What was tried is counted from MLflow: the same training once, others on the same data, those of other data not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from tests.builders.settings import small_learning, training_settings
from trading_lib.adapters.mlflow.trainings import EarlierTraining, TrainingTracker
from trading_lib.learning.config import LearningConfig, RidgeConfig
from trading_lib.workflows.learning import train as training
from trading_lib.workflows.learning.tracking import ALONE, Tracking, training_key, trials_behind
from trading_lib.workflows.learning.train import TrainingRequest, TrainingRun
from trading_lib.workflows.learning.training.steps import Prepared, prepared

REQUEST = TrainingRequest(first=date(2019, 1, 2), last=date(2020, 6, 30), processes=1, register=False)
RIDGE = small_learning().model_copy(update={"models": ("ridge",)})


def ready(config: LearningConfig = RIDGE) -> Prepared:
    data = synthetic_dataset(sessions=200, assets=9, features=5)
    return prepared(data, config, "files:prices", False, ())


def earlier(key: str, source: str = "files:prices", window: str = "", sharpes: tuple[float, ...] = (1.0,)) -> Any:
    sessions = ready().data.sessions
    return EarlierTraining(key, key, source, window or str(sessions[0]), str(sessions[-1]), len(sharpes), sharpes)


def test_models_of_earlier_trainings_on_the_same_data_count_and_this_training_once() -> None:
    one = ready()
    key = training_key(one)
    known = [earlier("a", sharpes=(0.5, 0.7)), earlier(key), earlier("b", source="simulated")]
    found = trials_behind(one, key, known)
    assert found.count == 1 + 2
    assert found.sharpes == pytest.approx([sharpe / math.sqrt(252) for sharpe in (0.5, 0.7)])
    assert "files:prices" in found.source


def test_only_trainings_of_the_same_sessions_tell_how_much_sharpe_ratios_vary() -> None:
    one = ready()
    found = trials_behind(one, training_key(one), [earlier("a", window="2001-01-02", sharpes=(0.5, 0.7, 0.9))])
    assert (found.count, found.sharpes) == (4, ())


def test_another_configuration_is_another_trial_and_the_same_again_is_not() -> None:
    other = RIDGE.model_copy(update={"ridge": RidgeConfig(penalty=0.5)})
    assert training_key(ready()) == training_key(ready())
    assert training_key(ready()) != training_key(ready(other))


@pytest.fixture(scope="module", name="uri")
def fixture_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an MLflow store in a file."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        # Artifacts of a store without a server go below the working directory.
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'runs.db'}")
        yield f"sqlite:///{folder / 'runs.db'}"


@pytest.fixture(scope="module", name="runs")
def fixture_runs(uri: str, tmp_path_factory: pytest.TempPathFactory) -> list[TrainingRun]:
    """The same training twice, then with another penalty."""
    home = tmp_path_factory.mktemp("home")
    other = RIDGE.model_copy(update={"ridge": RidgeConfig(penalty=0.5)})
    return [
        training.train(training_settings(home, config), REQUEST, None, home / "report.json")
        for config in (RIDGE, RIDGE, other)
    ]


def test_the_same_training_is_one_run_and_another_one_a_further_trial(runs: list[TrainingRun], uri: str) -> None:
    first, again, other = (run.report for run in runs)
    assert first["mlflow_run"] == again["mlflow_run"] != other["mlflow_run"]
    assert [report["trials"]["count"] for report in (first, again, other)] == [1, 1, 2]
    assert len(TrainingTracker(uri).earlier()) == 2


def test_a_run_shows_models_baselines_splits_files_and_pictures(runs: list[TrainingRun], uri: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    report = runs[0].report
    run = client.get_run(report["mlflow_run"])
    assert run.data.params["model"] == "best of 1: ridge"
    assert run.data.metrics["ic_mean"] == pytest.approx(report["models"]["ridge"]["ic_mean"], abs=1e-4)
    below = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    kinds = [part.data.tags["kind"] for part in below]
    assert {kind: kinds.count(kind) for kind in kinds} == {"model": 1, "baseline": 3, "split": 15}
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    pictures = {"ic_over_time.png", "paths_and_nulls.png", "importance.png", "exposure.png"}
    assert files == {"report.json", "models", *pictures}


def test_the_splits_together_tell_the_mean_of_all_paths(runs: list[TrainingRun], uri: str) -> None:
    from mlflow import MlflowClient

    client, report = MlflowClient(uri), runs[0].report
    run = client.get_run(report["mlflow_run"])
    condition = f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and tags.kind = 'split'"
    splits = client.search_runs([run.info.experiment_id], condition)
    sizes = np.array([split.data.metrics["test_sessions"] for split in splits])
    ics = np.array([split.data.metrics["ic_ridge"] for split in splits])
    assert (sizes * ics).sum() / sizes.sum() == pytest.approx(report["models"]["ridge"]["ic_mean"], abs=1e-3)


def test_a_server_that_goes_away_meanwhile_is_noted(runs: list[TrainingRun], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    one = ready()
    tracking = Tracking("http://127.0.0.1:9", training_key(one), trials_behind(one, "", []))
    monkeypatch.setattr("trading_lib.workflows.learning.tracking.tracked", lambda *arguments: _nothing())
    assert tracking.log(runs[0].report, None) is None  # type: ignore[arg-type]
    assert "start it with `make up`" in tracking.notes[0]


def _nothing() -> Any:
    from trading_lib.adapters.mlflow.trainings import TrackedTraining

    return TrackedTraining("name", "key", {}, {}, [], 1)


def test_without_a_server_the_trials_are_those_of_this_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    one = replace(ready(), config=small_learning())
    tracking = Tracking.of(training_settings(tmp_path), one, lambda line: None)
    assert (tracking.address, tracking.trials.count, tracking.trials.source) == (None, 4, ALONE)

"""A training is one run with its models and splits below it; the same again is neither logged nor counted twice."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trading_lib.adapters.mlflow.trainings import TrackedPart, TrackedTraining, TrainingTracker
from trading_lib.adapters.mlflow.views import MODELS
from trading_lib.domain.errors import StorageUnavailableError

SERIES = {"ic_by_month": [(0, 1_577_923_200_000, 0.05), (1, 1_580_601_600_000, -0.02)]}
TRAINING = TrackedTraining(
    name="files:prices 2007-01-03 to 2022-12-30",
    key="aaaa",
    parameters={"data_source": "files:prices", "from": "2007-01-03", "to": "2022-12-30", "window": "expanding"},
    metrics={"sessions": 4028.0, "active_sharpe_ridge": 0.2, "active_sharpe_xgboost": -0.1, "pbo": math.nan},
    context={"deflated_sharpe_ridge": 0.7},
    parts=[
        TrackedPart("ridge", "model", {"model": "ridge"}, {"ic_mean": 0.060012, "timing_null_p": None}, SERIES),
        TrackedPart("split 0", "split", {"test_folds": "0, 1"}, {"ic_ridge": 0.07}),
    ],
    trials=4,
    files={"report.json": b"{}", "pictures/importance.png": b"png"},
    note="what it is",
)


@pytest.fixture(scope="module", name="logged")
def fixture_logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Address of an MLflow store in a file, with one training in it, and the run's id."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        # Artifacts of a store without a server go below the working directory.
        patch.chdir(folder)
        uri = f"sqlite:///{folder / 'runs.db'}"
        assert TrainingTracker(uri).earlier() == []
        return uri, TrainingTracker(uri).log(TRAINING)


def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(uri)


def runs(uri: str, condition: str) -> list[Any]:
    experiment = client(uri).get_experiment_by_name("models")
    return list(client(uri).search_runs([experiment.experiment_id], condition))


def test_models_and_splits_lie_below_the_training_with_their_own_figures(logged: tuple[str, str]) -> None:
    uri, run_id = logged
    parts = {run.info.run_name: run for run in runs(uri, f"tags.`mlflow.parentRunId` = '{run_id}'")}
    assert set(parts) == {"ridge", "split 0"}
    assert all(run.info.status == "FINISHED" for run in parts.values())
    assert parts["ridge"].data.metrics == {"ic_mean": 0.06, "ic_by_month": -0.02}
    assert parts["split 0"].data.params == {"test_folds": "0, 1"}
    history = client(uri).get_metric_history(parts["ridge"].info.run_id, "ic_by_month")
    assert [(point.step, point.timestamp, point.value) for point in history] == SERIES["ic_by_month"]


def test_the_training_has_what_it_is_about_and_its_files(logged: tuple[str, str]) -> None:
    uri, run_id = logged
    data = client(uri).get_run(run_id).data
    assert data.params == TRAINING.parameters
    assert data.metrics == {
        "sessions": 4028.0,
        "active_sharpe_ridge": 0.2,
        "active_sharpe_xgboost": -0.1,
        "deflated_sharpe_ridge": 0.7,
    }
    assert data.tags["mlflow.note.content"] == "what it is"
    found = {file.path for file in client(uri).list_artifacts(run_id)}
    assert found == {"report.json", "pictures"}


def test_the_table_of_the_experiment_has_the_figures_as_columns(logged: tuple[str, str]) -> None:
    uri, _ = logged
    tags = client(uri).get_experiment_by_name("models").tags
    state = json.loads(tags[f"mlflow.sharedViewState.{MODELS.key}"])
    assert state["selectedColumns"] == list(MODELS.columns)


def test_the_same_training_is_logged_once_whatever_else_was_tried_meanwhile(
    logged: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    uri, run_id = logged
    assert TrainingTracker(uri).log(replace(TRAINING, context={"deflated_sharpe_ridge": 0.5})) == run_id
    other = TrainingTracker(uri).log(replace(TRAINING, key="bbbb", trials=2))
    assert other != run_id
    found = {earlier.key: earlier for earlier in TrainingTracker(uri).earlier()}
    assert set(found) == {"aaaa", "bbbb"}
    assert (found["aaaa"].trials, found["bbbb"].trials) == (4, 2)
    assert found["aaaa"].active_sharpes == (0.2, -0.1)
    assert (found["aaaa"].data_source, found["aaaa"].first, found["aaaa"].last) == (
        "files:prices",
        "2007-01-03",
        "2022-12-30",
    )


def test_a_server_that_does_not_answer_is_one_readable_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = TrainingTracker("http://127.0.0.1:9")
    for ask in (tracker.earlier, lambda: tracker.log(TRAINING)):
        with pytest.raises(StorageUnavailableError, match="start it with `make up`"):
            ask()

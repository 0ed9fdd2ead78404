"""Trials are counted from MLflow: the same run twice is one, another window or configuration is another."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.builders.markets import CALENDAR
from trading_lib.adapters.mlflow.runs import MlflowTracker, TrackedRun
from trading_lib.adapters.mlflow.trials import TrackedTrial, read_trials
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.workflows.research.tracking import trials_behind

RUN = TrackedRun(
    name="files:prices 2020-01-02 to 2020-12-31",
    parameters={"data_source": "files:prices", "from": "2020-01-02", "to": "2020-12-31", "config_hash": "aaaa"},
    metrics={"final_nav": 101_234.56, "sharpe": 0.8},
    tags={},
    nav_sessions=CALENDAR.sessions[:3],
    nav=np.array([100_000.0, 100_500.0, 101_234.56]),
    files={"note.txt": b"kept"},
    context={"trials": 1.0, "deflated_sharpe": 0.9},
)
OWN = TrackedTrial("files:prices", "2020-01-02", "2020-12-31", "aaaa", 101_234.56)


def like(parameters: Mapping[str, str] | None = None, metrics: Mapping[str, float] | None = None) -> TrackedRun:
    return replace(RUN, parameters={**RUN.parameters, **(parameters or {})}, metrics={**RUN.metrics, **(metrics or {})})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An MLflow store in a file: runs are written and read as with a server."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        # Artifacts of a store without a server go below the working directory.
        patch.chdir(folder)
        uri = f"sqlite:///{folder / 'runs.db'}"
        assert read_trials(uri) == {}
        tracker = MlflowTracker(uri)
        first = tracker.log(RUN)
        # What depends on other runs does not make it another run.
        assert tracker.log(replace(RUN, context={"trials": 5.0, "deflated_sharpe": 0.1})) == first
        tracker.log(like({"code_version": "2"}))
        tracker.log(like({"config_hash": "bbbb"}, {"sharpe": 1.2}))
        tracker.log(like({"to": "2021-12-31"}, {"sharpe": 3.0}))
        tracker.log(like({"data_source": "simulated"}))
        tracker.log(replace(like({"config_hash": "cccc"}, {"sharpe": 0.4}), trials=40))
    return uri


def test_the_same_trial_is_counted_once_whatever_version_of_the_code_ran_it(server: str) -> None:
    found = read_trials(server)
    assert len(found) == 5
    assert found[OWN].sharpe == 0.8
    assert [result.weight for result in found.values() if result.weight > 1] == [40]


def test_all_trials_on_the_same_data_count_and_those_of_the_same_window_tell_the_variance(server: str) -> None:
    found = trials_behind(OWN, 0.8, server)
    assert found.count == 1 + 1 + 1 + 40  # itself, another configuration, another window, a sweep
    assert sorted(found.sharpes) == pytest.approx([sharpe / math.sqrt(252) for sharpe in (0.4, 0.8, 1.2)])
    assert "files:prices" in found.source


def test_a_run_that_was_not_logged_yet_counts_itself(server: str) -> None:
    found = trials_behind(replace(OWN, config_hash="dddd"), 0.5, server)
    assert found.count == 44
    assert 0.5 / math.sqrt(252) in found.sharpes
    unknown = trials_behind(replace(OWN, data_source="files:other"), None, server)
    assert (unknown.count, unknown.sharpes) == (1, ())


def test_a_tag_that_is_no_number_counts_as_one_trial(server: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("backtests")
    assert experiment
    sweep = client.search_runs([experiment.experiment_id], "tags.trials_in_run = '40'")[0]
    client.set_tag(sweep.info.run_id, "trials_in_run", "many")
    assert trials_behind(OWN, 0.8, server).count == 4
    client.set_tag(sweep.info.run_id, "trials_in_run", "40")


def test_a_server_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StorageUnavailableError, match=r"did not list its runs .*: start it with `make up`"):
        read_trials("http://127.0.0.1:9")


def test_an_experiment_is_shown_as_one_of_models_with_the_columns_that_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    client, tracker = MlflowClient(uri), MlflowTracker(uri)
    assert tracker.experiment_id() is None
    # An experiment of an earlier version, without any tag.
    old = client.create_experiment("backtests")
    settings = {f"universe.A{number}.max_weight": "0.1" for number in range(150)}
    note = "[Tear sheet]({sheet})"
    run_id = tracker.log(
        replace(RUN, parameters={**RUN.parameters, **settings}, note=note, files={"export/nav.csv": b"1"})
    )
    assert tracker.experiment_id() == old
    tags = client.get_experiment(old).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    columns = json.loads(tags["mlflow.sharedViewState.strategies"])["selectedColumns"]
    assert {f"params.`{name}`" for name in ("strategy", "from", "to")} <= set(columns)
    assert {f"metrics.`{name}`" for name in ("sharpe", "annual_return", "max_drawdown")} <= set(columns)
    run = client.get_run(run_id)
    assert len(run.data.params) == len(RUN.parameters) + 150
    assert run.data.tags["mlflow.note.content"] == (
        f"[Tear sheet](#/experiments/{old}/runs/{run_id}/artifacts/tear_sheet.html?workflowType=machine_learning)"
    )
    assert [found.path for found in client.list_artifacts(run_id, "export")] == ["export/nav.csv"]

"""What is told of the registry, with MLflow's registry beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.builders.settings import make_settings
from tests.environment.finished_training import BASELINE, finished_training, noise
from tests.environment.stored_models import training
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.learning.registered import RANKING
from trading_lib.workflows.learning.registration.comparing import NOTHING
from trading_lib.workflows.learning.registration.mirror import NOT_RUNNING
from trading_lib.workflows.learning.registration.status import alias_history, export, model_list, model_status
from trading_lib.workflows.learning.registration.verify import verify
from trading_lib.workflows.learning.registry import promote, register, retire
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_settings(database_url, tmp_path)


@pytest.fixture
def mlflow(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(tmp_path)  # artifacts of a store without a server go below the working directory
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return MlflowClient(address)


def test_without_a_model_nothing_has_earned_its_place(settings: Settings) -> None:
    found = model_status(settings)
    assert [found[name] for name in ("champion", "challenger", "candidates", "last_training")] == [None, None, [], None]
    assert found["verdict"] == [NOTHING, "no training was stored yet: `trading train` makes one"]
    assert found["next_training"] == "2026-11-30"
    assert found["mlflow"] == {"reached": False, "problem": NOT_RUNNING, "differences": []}
    json.dumps(found)


def test_a_training_in_which_nothing_passed_is_told(settings: Settings) -> None:
    register(settings, finished_training(passed=False))
    found = model_status(settings)
    assert found["verdict"][0] == NOTHING
    assert found["last_training"]["to"] == "2008-12-31"
    assert found["mlflow"]["differences"] == []


def test_who_is_champion_since_when_why_and_what_would_replace_it(settings: Settings) -> None:
    register(settings, finished_training())
    promote(settings, 1, "Ada")
    barely_better = {"ridge": noise(0.065), BASELINE: noise(0.0)}
    register(settings, finished_training(barely_better, {"ridge": 0.07, "lightgbm": 0.05}, seed=1))
    found = model_status(settings)
    assert (found["champion"]["version"], found["champion"]["by"]) == (1, "Ada")
    assert found["champion"]["why"].startswith("mean IC +0.0")
    assert found["champion"]["since"] == settings.clock().isoformat()
    assert found["challenger"]["version"] == 2
    assert [model["version"] for model in found["candidates"]] == [3]
    assert (found["comparison"]["against"], found["comparison"]["better"]) == ("version 1", False)
    assert found["verdict"][0].endswith("it would replace it only if it were better")
    assert [model["alias"] for model in model_list(settings)["models"]] == ["candidate", "challenger", "champion"]
    assert [row["alias"] for row in alias_history(settings)["history"]] == [
        "challenger",
        "champion",
        "challenger",
        "candidate",
    ]
    assert [row["version"] for row in alias_history(settings, 1)["history"]] == [1, 1]


def test_the_next_training_keeps_its_distance_from_the_last(settings: Settings) -> None:
    near = training(last=date(2026, 11, 24), first=date(2020, 1, 2))
    ModelStore(settings.engine()).save_training(near)
    assert model_status(settings)["next_training"] == "2026-12-31"


def test_mlflow_shows_what_the_database_says(settings: Settings, mlflow: MlflowClient) -> None:
    run_id = str(mlflow.create_run("0").info.run_id)
    first = register(settings, finished_training(), run_id)
    assert first.mlflow == ""
    assert promote(settings, 1, "Ada")["mlflow"] == ""
    register(settings, finished_training(seed=1), run_id)
    assert model_status(settings)["mlflow"] == {"reached": True, "problem": "", "differences": []}
    versions = {alias: mlflow.get_model_version_by_alias(RANKING, alias) for alias in ("champion", "challenger")}
    assert {alias: version.tags["registry_version"] for alias, version in versions.items()} == {
        "champion": "1",
        "challenger": "2",
    }
    assert versions["champion"].tags["code_version"] == "1.0"
    assert versions["champion"].tags["ic_mean"] == "0.06"
    assert "champion since 2026-11-20 by Ada: mean IC +0.0" in versions["champion"].description
    assert "challenger version 2: mean IC +0.000 against version 1" in mlflow.get_registered_model(RANKING).description
    retire(settings, 1, "Ada", "found a fault")
    shown = mlflow.get_registered_model(RANKING)
    assert "champion" not in shown.aliases
    assert NOTHING in shown.description
    assert "retired since 2026-11-20 by Ada: found a fault" in mlflow.get_model_version(RANKING, "1").description


def test_where_mlflow_differs_is_said(settings: Settings, mlflow: MlflowClient) -> None:
    run_id = str(mlflow.create_run("0").info.run_id)
    register(settings, finished_training(), run_id)
    register(settings, finished_training(seed=1))
    register(settings, finished_training(seed=2), run_id)
    mlflow.set_registered_model_alias(RANKING, "champion", "1")
    mlflow.delete_registered_model_alias(RANKING, "challenger")
    mlflow.create_model_version(RANKING, source=mlflow.get_run(run_id).info.artifact_uri, run_id=run_id)
    assert model_status(settings)["mlflow"]["differences"] == [
        "version 2 is not in MLflow",
        "MLflow has version 3, which is not in the database",
        "the challenger is version 3, and none in MLflow",
        "the champion is none, and version 1 in MLflow",
    ]
    # Whatever changes next in the database sets the aliases right.
    retire(settings, 3, "Ada", "no use")
    assert model_status(settings)["mlflow"]["differences"] == [
        "version 2 is not in MLflow",
        "MLflow has version 3, which is not in the database",
    ]


def test_a_registration_goes_on_while_mlflow_is_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registered = register(settings, finished_training(), "0" * 32)
    assert registered.new == (1,)
    assert registered.mlflow.startswith("MLflow at http://127.0.0.1:1 did not")
    assert not model_status(settings)["mlflow"]["reached"]


def test_an_exported_version_is_verified_as_the_stored_one(settings: Settings, tmp_path: Path) -> None:
    run = finished_training()
    register(settings, run)
    found = export(settings, 1, tmp_path / "out")
    assert [Path(path).name for path in found["files"]] == ["certificate.json", "description.json", "ridge.json"]
    for target in ("1", str(tmp_path / "out")):
        checked = verify(settings, target, None, lambda line: None, lambda *_: replace(run, code_version="other"))
        assert (checked["equal"], checked["files"]) == (True, ["ridge.json"])

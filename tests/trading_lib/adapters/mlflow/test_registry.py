"""Versions in MLflow's registry: made from plain artifacts, each once, with the aliases that the database says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.environment.stored_models import FILES, files, model
from trading_lib.adapters.mlflow.registry import MlflowRegistry
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.learning.registered import RANKING, Alias, StoredModel


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store of its own, and its artifacts beside it."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield f"sqlite:///{folder / 'runs.db'}"


@pytest.fixture
def run_id(server: str) -> str:
    return str(MlflowClient(server).create_run("0").info.run_id)


def version(number: int) -> StoredModel:
    return replace(model(files(number)), version=number, contents=files(number))


def test_a_version_is_made_from_plain_artifacts_and_never_twice(server: str, run_id: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(server)
    stored = replace(model(), version=3, contents=FILES, certificate='{"a":1}')
    number = registry.add(stored, run_id, {"code_version": "1.0+abc"})
    assert registry.add(stored, run_id, {}) == number
    (found,) = registry.versions()
    assert (found.version, found.number, found.sha256, found.aliases) == (3, number, stored.sha256, frozenset())
    made = MlflowClient(server).get_model_version(RANKING, str(number))
    assert made.tags["code_version"] == "1.0+abc"
    assert made.tags["features"] == '["momentum","volatility"]'
    assert made.source.endswith("/artifacts/registered/ridge")
    folder = Path(MlflowClient(server).download_artifacts(run_id, "registered/ridge", str(tmp_path)))
    assert sorted(path.name for path in folder.rglob("*")) == ["certificate.json", "description.json", "model.json"]
    assert (folder / "model.json").read_bytes() == FILES["model.json"]


def test_aliases_follow_the_database(server: str, run_id: str) -> None:
    registry = MlflowRegistry(server, "followed")
    registry.set_aliases({Alias.CHAMPION: 1})  # nothing is there to get one
    for number in (5, 6):
        registry.add(version(number), run_id, {})
    registry.set_aliases({Alias.CHAMPION: 5, Alias.CHALLENGER: 6})
    assert {found.version: found.aliases for found in registry.versions()} == {5: {"champion"}, 6: {"challenger"}}
    registry.set_aliases({Alias.CHAMPION: 6, Alias.CHALLENGER: None})
    assert {found.version: found.aliases for found in registry.versions()} == {5: frozenset(), 6: {"champion"}}
    registry.set_aliases({Alias.CHAMPION: 99})
    assert {found.aliases for found in registry.versions()} == {frozenset()}


def test_a_server_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StorageUnavailableError, match=r"MLflow at http://127\.0\.0\.1:1 did not list its models"):
        MlflowRegistry("http://127.0.0.1:1").versions()


def test_artifacts_that_are_not_taken_leave_no_version(
    server: str, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(MlflowClient, "log_artifacts", refuse)
    registry = MlflowRegistry(server, "without artifacts")
    with pytest.raises(StorageUnavailableError, match=r"did not register a model \(no space left\)"):
        registry.add(version(1), run_id, {})
    assert registry.versions() == []


def test_a_run_that_does_not_exist_leaves_no_version(server: str) -> None:
    registry = MlflowRegistry(server, "without a run")
    with pytest.raises(StorageUnavailableError, match="did not register a model"):
        registry.add(version(1), "0" * 32, {})
    assert registry.versions() == []

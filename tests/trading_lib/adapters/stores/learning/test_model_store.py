"""Versions are numbered once, keep their files and the aliases they ever had, and are never changed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.environment.stored_models import FILES, NOW, files, model, store_versions, training
from trading_lib.adapters.stores.learning.lifecycle_store import LifecycleStore, ModelEvent, Reading
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import LARGEST_FILE, Alias, AliasChange, Aliases, StoredModel, StoredTraining

pytestmark = pytest.mark.postgres


def as_candidate(new: StoredModel, _: Aliases) -> list[AliasChange]:
    return [AliasChange(new.version, Alias.CANDIDATE, "registered", "tests", NOW)]


def values(stored: StoredModel | StoredTraining) -> str:
    """Everything it says, as text: NaN differs from itself."""
    return json.dumps(asdict(stored), sort_keys=True, default=str)


@pytest.fixture
def store(engine: Engine) -> ModelStore:
    store = ModelStore(engine)
    assert store.save_training(training())
    return store


def test_a_training_comes_back_as_it_was_and_is_stored_once(store: ModelStore) -> None:
    assert not store.save_training(replace(training(), seed=8))
    stored = store.training("training-1")
    assert values(stored) == values(training())
    assert [found.id for found in store.trainings()] == ["training-1"]
    with pytest.raises(InputError, match="there is no training other"):
        store.training("other")


def test_a_version_comes_back_with_its_files(store: ModelStore) -> None:
    registered, new = store.register(model(), FILES, as_candidate)
    assert new
    assert values(registered) == values(replace(model(), version=1))
    assert values(store.version(1)) == values(registered)
    assert store.with_files(registered).contents == FILES
    assert [change.alias for change in store.aliases().history] == [Alias.CANDIDATE]
    with pytest.raises(InputError, match="there is no model version 2"):
        store.version(2)


def test_the_same_model_of_the_same_data_is_the_same_version(store: ModelStore) -> None:
    store.register(model(), FILES, as_candidate)
    again, new = store.register(replace(model(), evidence={}), FILES, as_candidate)
    assert (again.version, new) == (1, False)
    assert len(store.aliases().history) == 1
    other, new = store.register(replace(model(), data_hash="e" * 64), FILES, as_candidate)
    assert (other.version, new) == (2, True)


def test_versions_that_are_registered_at_once_are_numbered_one_after_another(store: ModelStore) -> None:
    def register(number: int) -> tuple[int, bool]:
        stored, new = store.register(model(files(number % 4)), files(number % 4), as_candidate)
        return stored.version, new

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(register, range(8)))
    assert {version for version, _ in found} == {1, 2, 3, 4}
    assert sum(new for _, new in found) == 4
    assert sorted(change.number for change in store.aliases().history) == [1, 2, 3, 4]


def test_a_file_that_is_too_large_is_named_and_nothing_is_stored(store: ModelStore) -> None:
    large = {"model.txt": bytes(LARGEST_FILE + 1)}
    with pytest.raises(InputError, match=r"model\.txt has 16 MiB"):
        store.register(model(large), large, as_candidate)
    assert store.versions() == []


def test_a_rule_that_refuses_leaves_no_version_behind(store: ModelStore) -> None:
    def refuse(new: StoredModel, _: Aliases) -> list[AliasChange]:
        raise InputError("no")

    with pytest.raises(InputError):
        store.register(model(), FILES, refuse)
    assert store.versions() == []
    assert store.with_files(model()).contents == {}


def test_the_newest_row_is_the_alias_of_a_version(engine: Engine) -> None:
    store = store_versions(engine, Alias.CHAMPION, Alias.CHALLENGER)
    champion = store.holder(Alias.CHAMPION)
    assert champion is not None
    assert (champion.version, champion.contents) == (1, files(1))

    def replace_champion(new: StoredModel, aliases: Aliases) -> list[AliasChange]:
        assert (new.version, aliases.holder(Alias.CHAMPION)) == (2, 1)
        return [
            AliasChange(1, None, "replaced", "Ada", NOW),
            AliasChange(2, Alias.CHAMPION, "better", "Ada", NOW),
        ]

    aliases = store.change(2, replace_champion)
    assert aliases.holder(Alias.CHAMPION) == 2
    assert aliases.holder(Alias.CHALLENGER) is None
    assert aliases.of(1) is None
    assert aliases.earlier_champions() == (1,)
    assert [(change.number, change.version, change.by) for change in aliases.history][2:] == [
        (3, 1, "Ada"),
        (4, 2, "Ada"),
    ]


def test_models_of_another_name_are_others(engine: Engine) -> None:
    store_versions(engine, Alias.CHAMPION)
    other = ModelStore(engine, "another")
    assert other.versions() == []
    stored, new = other.register(model(), FILES, as_candidate)
    assert (stored.version, new) == (1, True)
    assert [change.number for change in other.aliases().history] == [2]


@pytest.mark.parametrize(
    "table", ["model_versions", "model_aliases", "model_files", "model_readings", "model_events", "model_predictions"]
)
def test_no_row_can_be_changed_or_removed(engine: Engine, table: str) -> None:
    store_versions(engine, Alias.CHAMPION)
    life = LifecycleStore(engine)
    life.save_readings([Reading(1, NOW.date(), "ic", 0.1)], NOW)
    life.add_event(ModelEvent("trained", "nothing passed", "tests", NOW))
    PredictionStore(engine).save([StoredPrediction(1, NOW.date(), "SPY", 0.1, 0.5)], NOW)
    column = {"model_files": "sha256"}.get(table, "name")
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):
        with (
            pytest.raises(DBAPIError, match=f"rows of {table} are only ever added"),
            engine.begin() as connection,
        ):
            connection.execute(text(statement))

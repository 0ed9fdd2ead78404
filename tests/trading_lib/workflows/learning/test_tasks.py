"""The tasks of train_models come to what `trading train` does, with files between them that nobody finds afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders.settings import training_settings
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LifecycleConfig, Window
from trading_lib.workflows.learning import tasks
from trading_lib.workflows.learning.train import TrainingRequest, rehearse
from trading_lib.workflows.learning.training.files import TrainingFiles
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.training import SplitPlan, TrainingFigures, TrainingPlan
from trading_lib.workflows.stages.xcom import plain, read

FIRST, LAST = date(2019, 1, 2), date(2020, 6, 30)
FORM = {"from": str(FIRST), "to": str(LAST), "data": None, "window": None}
OF_CODE_AND_MOMENT = ("artifacts", "elapsed_seconds", "notes")


@pytest.fixture(scope="module", name="settings")
def fixture_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return training_settings(tmp_path_factory.mktemp("tasks") / "home")


@pytest.fixture(scope="module", name="planned")
def fixture_planned(settings: Settings) -> tuple[TrainingPlan, list[SplitPlan]]:
    left = settings.folders.closed("trainings") / "left-by-a-run-that-was-killed"
    left.mkdir()
    return tasks.features(FORM, run="manual__1", settings=settings)


@pytest.fixture(scope="module", name="figures")
def fixture_figures(settings: Settings, planned: tuple[TrainingPlan, list[SplitPlan]]) -> TrainingFigures:
    """All tasks up to the verdict, each with what Airflow would hand over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        plan = read(TrainingPlan, plain(planned[0]), "features")
        for split in planned[1]:
            tasks.split(read(SplitPlan, plain(split), "features"), settings)
        assert tasks.paths(plan, settings)["paths"] == 5
        for null in ("shuffled", "rotated"):
            assert set(tasks.nulls(plan, null, settings)) == set(settings.configuration.learning.models)
        return tasks.overfitting(plan, settings)


def test_a_plan_says_what_is_trained_and_each_split_what_it_tests(
    planned: tuple[TrainingPlan, list[SplitPlan]],
) -> None:
    plan, splits = planned
    assert (plan.first, plan.last, plan.prices, plan.window) == (FIRST, LAST, "simulated", None)
    assert plan.splits == len(splits) == 15
    assert splits[0].label == "tests folds 1 and 2"
    assert {split.training for split in splits} == {plan.training}


def test_what_travels_between_tasks_is_small(
    planned: tuple[TrainingPlan, list[SplitPlan]], figures: TrainingFigures
) -> None:
    for value in (*planned[1], planned[0], figures):
        assert len(json.dumps(plain(value))) < 1000


def test_files_of_an_unfinished_run_go_when_the_next_begins(
    settings: Settings, planned: tuple[TrainingPlan, list[SplitPlan]]
) -> None:
    assert [path.name for path in (settings.folders.home / "trainings").iterdir()] == [planned[0].training]


def test_the_tasks_come_to_what_the_command_does_bit_by_bit(
    settings: Settings, figures: TrainingFigures, tmp_path: Path
) -> None:
    report: dict[str, Any] = json.loads(Path(figures.report).read_text(encoding="utf-8"))
    request = TrainingRequest(first=FIRST, last=LAST, processes=1)
    expected = rehearse(training_settings(tmp_path / "home"), request).report
    for name in OF_CODE_AND_MOMENT:
        report.pop(name), expected.pop(name)
    assert report == expected
    assert figures.passed == tuple(report["passed"])
    assert (figures.mlflow_run, figures.url) == (None, None)


def test_registering_reads_the_files_and_removes_them(
    settings: Settings, planned: tuple[TrainingPlan, list[SplitPlan]], figures: TrainingFigures
) -> None:
    found = tasks.register(planned[0], figures, settings)
    assert found["registered"] == []
    assert list((settings.folders.home / "trainings").iterdir()) == []
    with pytest.raises(InputError, match="clear the run's first task"):
        tasks.paths(planned[0], settings)


def test_a_scheduled_run_learns_up_to_the_last_session_of_its_month(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainingRequest] = []

    def prepare(settings: Settings, request: TrainingRequest, say: object) -> None:
        asked.append(request)
        raise InputError("enough")

    monkeypatch.setattr(tasks, "prepare", prepare)
    for end in (datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 7, 1, 4, tzinfo=UTC)):
        with pytest.raises(InputError, match="enough"):
            tasks.features({"from": None, "to": None, "window": "3y"}, end, settings=settings)
    assert [str(request.last) for request in asked] == ["2020-05-29", "2020-06-30"]
    assert asked[0].window is Window.THREE_YEARS
    with pytest.raises(InputError, match="neither an end of its window nor a data interval: give `to`"):
        tasks.features({"from": None, "to": None}, None, settings=settings)


def test_only_a_scheduled_run_leaves_out_features_that_were_weak_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainingRequest] = []

    def prepare(settings: Settings, request: TrainingRequest, say: object) -> None:
        asked.append(request)
        raise InputError("enough")

    monkeypatch.setattr(tasks, "prepare", prepare)
    monkeypatch.setattr(tasks, "weak_twice", lambda settings: ("rsi_14",))
    for scheduled in (False, True):
        with pytest.raises(InputError, match="enough"):
            tasks.features(FORM, settings=settings, scheduled=scheduled)
    assert [request.leave_out for request in asked] == [(), ("rsi_14",)]


def test_the_chain_of_sources_is_read_from_the_database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TrainingRequest] = []

    def prepare(settings: Settings, request: TrainingRequest, say: object) -> None:
        asked.append(request)
        raise InputError("enough")

    monkeypatch.setattr(tasks, "prepare", prepare)
    default = settings.configuration.sources.default.model_copy(update={"source": "chain", "folder": None})
    sources = settings.configuration.sources.model_copy(update={"default": default})
    chained = replace(settings, configuration=replace(settings.configuration, sources=sources))
    with pytest.raises(InputError, match="enough"):
        tasks.features(FORM, settings=chained)
    assert asked[0].data is None


def test_the_configuration_says_whether_models_are_retrained_at_month_end(settings: Settings) -> None:
    assert tasks.due(settings)
    learning = settings.configuration.learning.model_copy(update={"lifecycle": LifecycleConfig(month_end=False)})
    assert not tasks.due(replace(settings, configuration=replace(settings.configuration, learning=learning)))


def test_files_of_a_training_hold_no_object_that_reading_could_run(settings: Settings, tmp_path: Path) -> None:
    import numpy as np

    files = TrainingFiles(settings, "pickled")
    files.folder.mkdir()
    np.savez(files.folder / "split-0.npz", **{"xgboost.0": np.array([object()], dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        files.read_split(0)
    files.remove()

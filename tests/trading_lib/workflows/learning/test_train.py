"""A training from data to report: what it says, what it writes, and that nothing else is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.builders.settings import NOW, training_settings
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig, Window
from trading_lib.learning.models.loading import load_model
from trading_lib.workflows.learning import train as training
from trading_lib.workflows.learning.train import TrainingRequest, TrainingRun, log_and_register, rehearse, train
from trading_lib.workflows.learning.training.lock import only_training

FIRST, LAST = date(2019, 1, 2), date(2020, 6, 30)
REQUEST = TrainingRequest(first=FIRST, last=LAST, processes=1)
CONTRACT = {"splits", "paths", "sessions", "rows", "features", "window", "models", "baselines", "registered"}
CONTRACT |= {"minimum_detectable_ic", "artifacts", "data_source", "from", "to", "costs", "trials", "seed", "notes"}
CONTRACT |= {"config_hash", "code_version", "elapsed_seconds", "simulated"}
OF_A_MODEL = {"ic_mean", "ic_t_nw", "ic_t_nonoverlap", "ic_null_p", "timing_null_p", "ic_by_path", "sharpe_by_path"}
OF_A_MODEL |= {"active_sharpe_by_path", "walk_forward", "train_gap", "pbo", "deflated_sharpe", "beats_baseline_p"}
OF_A_MODEL |= {"passed", "reasons"}


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module", name="said")
def fixture_said() -> list[str]:
    """Progress of the training."""
    return []


@pytest.fixture(scope="module", name="run")
def fixture_run(place: Path, said: list[str]) -> TrainingRun:
    return train(training_settings(place / "home"), REQUEST, said.append, place / "report.json")


@pytest.fixture(scope="module", name="report")
def fixture_report(run: TrainingRun, place: Path) -> dict[str, Any]:
    return dict(json.loads((place / "report.json").read_text(encoding="utf-8")))


def test_the_report_says_all_that_was_promised(report: dict[str, Any]) -> None:
    assert set(report) >= CONTRACT
    assert (report["splits"], report["paths"], report["window"]) == (15, 5, "expanding")
    assert (report["data_source"], report["simulated"]) == ("simulated", True)
    assert set(report["models"]) == {"ridge", "lightgbm", "xgboost", "ensemble"}
    assert set(report["baselines"]) == {"momentum_12_1", "static_mean_rank", "equal_weight"}
    for model in report["models"].values():
        assert set(model) >= OF_A_MODEL
        assert len(model["ic_by_path"]) == len(model["active_sharpe_by_path"]) == 5
        assert set(model["walk_forward"]) == {"ic_mean", "active_sharpe"}
        assert sum(model["importance"].values()) == pytest.approx(1.0)


def test_json_has_no_nan(place: Path, report: dict[str, Any]) -> None:
    text = (place / "report.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in the report"))


def test_every_model_is_written_with_its_hash_and_read_back_as_it_was(
    place: Path, run: TrainingRun, report: dict[str, Any]
) -> None:
    folder = place / "report-models"
    for one in report["artifacts"]:
        assert hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest() == one["sha256"]
    for kind, model in run.models.items():
        files = {
            str(path.relative_to(folder / kind)): path.read_bytes()
            for path in (folder / kind).rglob("*")
            if path.is_file()
        }
        again = load_model(kind, run.dataset.features, files)
        x, sessions = run.dataset.x[:60], run.dataset.row_session[:60]
        expected = model.predict(x, run.dataset.features, sessions)
        np.testing.assert_array_equal(again.predict(x, run.dataset.features, sessions), expected)


def test_without_mlflow_the_training_goes_on_says_so_and_registers_nothing(report: dict[str, Any]) -> None:
    assert report["registered"] == []
    assert report["mlflow_run"] is None
    assert report["trials"] == {"count": 4, "source": "this training alone"}
    assert any("no MLflow server is running" in note for note in report["notes"])


def test_an_experiment_with_further_assets_is_logged_and_not_registered(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[object] = []
    monkeypatch.setattr(training, "register_passed", lambda settings, run: tried.append(run) or [])
    tracking: Any = SimpleNamespace(log=lambda report, findings: "run-1", notes=[])
    findings: Any = None
    for extra in (None, tmp_path):
        asked = replace(run, request=replace(REQUEST, universe_extra=extra), report={**run.report})
        log_and_register(training_settings(tmp_path), asked, findings, tracking)
        assert (asked.report["mlflow_run"], asked.report["registered"]) == ("run-1", [])
        assert len(tried) == 1


def test_progress_tells_the_steps(run: TrainingRun, said: list[str]) -> None:
    assert said[0].startswith(f"reading the data of {FIRST}")
    assert any("15 splits" in line for line in said)


def test_daily_coefficients_are_those_of_the_report(run: TrainingRun, report: dict[str, Any]) -> None:
    for kind, model in report["models"].items():
        assert float(np.nanmean(run.daily_ic[kind])) == pytest.approx(model["ic_mean"])


def test_a_rehearsal_comes_to_the_same_and_leaves_nothing_behind(run: TrainingRun, tmp_path: Path) -> None:
    again = rehearse(training_settings(tmp_path / "home"), REQUEST)
    assert again.evidence == run.evidence
    assert {kind: model.files() for kind, model in again.models.items()} == {
        kind: model.files() for kind, model in run.models.items()
    }
    assert not (tmp_path / "home").exists()


def test_no_label_of_a_final_model_ends_after_the_window(run: TrainingRun) -> None:
    axis = np.arange(len(run.dataset.sessions))
    last = np.datetime64(LAST)
    assert (run.dataset.label_end - run.dataset.label_start == run.configuration.label.horizon).all()
    horizon = np.busday_count(run.dataset.sessions[axis[-1]], last)
    assert horizon >= run.configuration.label.horizon


def test_a_window_of_three_years_learns_from_its_newest_sessions(tmp_path: Path) -> None:
    ridge = LearningConfig(models=("ridge",), evidence=training_settings(tmp_path).configuration.learning.evidence)
    first = FIRST.replace(year=2016)
    asked = replace(REQUEST, first=first, window=Window.THREE_YEARS)
    run = rehearse(training_settings(tmp_path / "home", ridge), asked)
    assert (run.report["window"], run.report["sessions"]) == ("3y", 756)
    walked = run.report["models"]["ridge"]["walk_forward"]
    assert walked["ic_mean"] is not None


def nothing_written(folder: Path) -> bool:
    return not any(path.is_file() and path.suffix == ".json" for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": LAST, "last": FIRST}, "is inverted"),
        ({"data": Path("/nowhere")}, "--data names /nowhere, which does not exist"),
        ({"first": FIRST.replace(year=2020)}, "sessions"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        train(training_settings(tmp_path / "home"), replace(REQUEST, **change), None, tmp_path / "report.json")
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    assert nothing_written(tmp_path)


def test_the_second_of_two_trainings_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    settings = training_settings(tmp_path / "home")
    with only_training(settings), pytest.raises(InputError, match="another training is running"):
        train(settings, REQUEST, None, tmp_path / "report.json")
    assert nothing_written(tmp_path)


def test_null_models_are_given_up_when_the_fits_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    def draw(*given: object, given_up: Callable[[], bool], **options: object) -> None:
        while not given_up():
            pass
        ended.append(True)

    def fail(*given: object) -> None:
        raise InputError("a fit failed", "mend it")

    monkeypatch.setattr(training, "null_tests", draw)
    monkeypatch.setattr(training, "score", fail)
    with pytest.raises(InputError, match="a fit failed"):
        train(training_settings(tmp_path / "home"), REQUEST, None, tmp_path / "report.json")
    assert ended == [True]
    assert nothing_written(tmp_path)


def test_a_training_is_of_its_moment(run: TrainingRun) -> None:
    assert run.started_at == run.finished_at == NOW

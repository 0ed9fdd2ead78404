"""A certificate is recomputed: equal bit by bit, or it says what differs first and whether data or code explain it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.builders.learning import synthetic_dataset
from tests.builders.settings import make_settings
from tests.environment.finished_training import evidence, finished_training
from trading_lib.adapters.files.model_folder import write_model_folder
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import canonical
from trading_lib.workflows.learning.registration.certificate import certificate_of
from trading_lib.workflows.learning.registration.draft import draft_of, training_of
from trading_lib.workflows.learning.registration.verify import verify
from trading_lib.workflows.learning.train import TrainingRequest, TrainingRun
from trading_lib.workflows.setup.settings import Settings

Change = Callable[[TrainingRun], TrainingRun]


@pytest.fixture(scope="module")
def run() -> TrainingRun:
    return finished_training()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings("postgresql://nobody@127.0.0.1:1/none", tmp_path)


@pytest.fixture
def certificate(run: TrainingRun, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    path.write_text(certificate_of(run, "ridge"))
    return path


def checked(settings: Settings, target: Path, result: TrainingRun, data: Path | None = None) -> dict[str, Any]:
    asked: list[TrainingRequest] = []

    def train(theirs: Settings, request: TrainingRequest, say: Callable[[str], None]) -> TrainingRun:
        asked.append(request)
        assert theirs.configuration.learning == result.configuration
        return result

    found = verify(settings, str(target), data, lambda line: None, train)
    assert [(one.first, one.last, one.data, one.register) for one in asked] == [
        (date(2007, 1, 3), date(2008, 12, 31), data, False)
    ]
    return found


def test_the_same_training_is_equal_in_every_figure_and_hash(
    settings: Settings, certificate: Path, run: TrainingRun, tmp_path: Path
) -> None:
    found = checked(settings, certificate, run, data=tmp_path)
    assert (found["equal"], found["cause"], found["differences"]) == (True, None, [])
    assert found["compared"] > 60
    assert json.loads(certificate.read_text())["data_hash"] == run.dataset.digest


def _other_figure(run: TrainingRun) -> TrainingRun:
    return replace(run, evidence={"ridge": replace(evidence(), train_gap=0.1 + 1e-16)})


def _other_code(run: TrainingRun) -> TrainingRun:
    return replace(_other_figure(run), code_version="1.1")


def _other_data(run: TrainingRun) -> TrainingRun:
    return finished_training(data=synthetic_dataset(sessions=300, assets=9, features=5, ic=0.3, seed=1))


def _other_bytes(run: TrainingRun) -> TrainingRun:
    return replace(finished_training(seed=1), dataset=run.dataset)


@pytest.mark.parametrize(
    ("change", "cause", "first"),
    [
        (_other_figure, "figure", "evidence.train_gap"),
        (_other_code, "code", "evidence.train_gap"),
        (_other_data, "data", "data_hash"),
        (_other_bytes, "file", "files.ridge.json"),
    ],
)
def test_what_differs_first_is_named(
    settings: Settings, certificate: Path, run: TrainingRun, change: Change, cause: str, first: str
) -> None:
    found = checked(settings, certificate, change(run))
    assert (found["equal"], found["cause"]) == (False, cause)
    assert found["differences"][0]["what"] == first


def test_other_code_with_the_same_figures_is_equal_and_told(
    settings: Settings, certificate: Path, run: TrainingRun
) -> None:
    found = checked(settings, certificate, replace(run, code_version="1.1"))
    assert found["equal"]
    assert found["code_version"] == {"stated": "1.0", "found": "1.1"}


def test_figures_that_count_earlier_trials_are_not_compared(
    settings: Settings, certificate: Path, run: TrainingRun
) -> None:
    counted = replace(run, evidence={"ridge": replace(evidence(), pbo=0.3, deflated_sharpe=0.2)})
    found = checked(settings, certificate, counted)
    assert found["equal"]
    assert found["left_out"] == ["evidence.pbo", "evidence.deflated_sharpe"]


def test_a_folder_is_checked_file_by_file_and_its_certificate_recomputed(
    settings: Settings, run: TrainingRun, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    write_model_folder(folder, draft_of(run, training_of(run, ""), "ridge"))
    found = checked(settings, folder, run)
    assert (found["files"], found["equal"]) == (["ridge.json"], True)
    (folder / "certificate.json").unlink()
    alone = verify(settings, str(folder), None, lambda line: None)
    assert (alone["equal"], alone["recomputed"]) == (True, False)
    (folder / "model.pth").write_bytes(b"")
    with pytest.raises(InputError, match=r"model\.pth belongs to no model"):
        verify(settings, str(folder), None, lambda line: None)


def test_a_certificate_of_another_model_beside_a_model_is_refused(
    settings: Settings, run: TrainingRun, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    other = certificate_of(finished_training(seed=1), "ridge")
    write_model_folder(folder, replace(draft_of(run, training_of(run, ""), "ridge"), certificate=other))
    with pytest.raises(InputError, match="is of another model"):
        verify(settings, str(folder), None, lambda line: None)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no certificate of a model"),
        ('{"format": 1}', "is no certificate of a model"),
        ({"request": {"from": "2007-01-03", "to": "yesterday"}}, "does not say what was trained on"),
        ({"configuration": {"seed": -1}}, r"a configuration of another version \(seed: Input should be greater"),
        ({"features": "momentum"}, "is no certificate of a model"),
        ({"kind": "lightgbm"}, "is of a lightgbm model, which its configuration does not train"),
    ],
)
def test_what_is_no_certificate_is_refused_with_one_line(
    settings: Settings, certificate: Path, run: TrainingRun, content: Any, problem: str
) -> None:
    text = content if isinstance(content, str) else canonical(json.loads(certificate.read_text()) | content)
    certificate.write_text(text)
    with pytest.raises(InputError, match=problem) as refused:
        verify(settings, str(certificate), None, lambda line: None, lambda *_: run)
    assert "\n" not in str(refused.value)


def test_what_does_not_exist_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no version, folder or certificate .*absent"):
        verify(settings, str(tmp_path / "absent"), None, lambda line: None)

"""Features that were weak in two trainings are left out of the next scheduled one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.builders.learning import synthetic_dataset
from tests.builders.settings import make_settings
from tests.environment.stored_models import NOW, training
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig
from trading_lib.workflows.learning.training.request import TrainingRequest
from trading_lib.workflows.learning.training.steps import prepared
from trading_lib.workflows.learning.training.weak import weak_twice
from trading_lib.workflows.setup.settings import Settings

STRONG = {f"strong_{number}": 0.1 for number in range(8)}


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def trained(engine: Engine, number: int, *left_out: str, **shares: float) -> None:
    """A training of two kinds of models; the second one finds the first feature that is named important."""
    other = {**shares, next(iter(shares)): 0.2}
    models: dict[str, Any] = {"ridge": {"importance": STRONG | shares}, "lightgbm": {"importance": STRONG | other}}
    finished = NOW + timedelta(days=number)
    configuration = {"leave_out": list(left_out)}
    made = training(id=str(number), report={"models": models}, configuration=configuration, finished_at=finished)
    ModelStore(engine).save_training(made)


@pytest.mark.postgres
def test_a_feature_goes_that_no_model_of_two_trainings_found_important(settings: Settings, engine: Engine) -> None:
    assert weak_twice(settings) == ()
    trained(engine, 1, liked=0.01, weak=0.01, momentum_12_1=0.01, came_back=0.01)
    assert weak_twice(settings) == ()
    trained(engine, 2, "gone", liked=0.01, weak=0.04, momentum_12_1=0.01, came_back=0.06)
    assert weak_twice(settings) == ("gone", "weak")
    trained(engine, 3, liked=0.01, weak=0.06)
    assert weak_twice(settings) == ()


def test_without_a_database_nothing_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert weak_twice(make_settings("postgresql+psycopg2://nobody@127.0.0.1:1/none", tmp_path)) == ()
    assert "no feature is left out" in caplog.text


def test_what_is_left_out_is_not_learned_from_and_is_told() -> None:
    full = synthetic_dataset(sessions=400, assets=9, features=6)
    config = TrainingRequest(
        first=date(2020, 1, 2), last=date(2022, 1, 3), leave_out=("signal", "absent")
    ).configuration(LearningConfig(leave_out=("volatility_60",)))
    ready = prepared(full, config, "files:prices", False, ("before",))
    assert ready.data.features == tuple(name for name in full.features if name not in ("signal", "volatility_60"))
    assert ready.data.x.shape == (len(full), len(full.features) - 2)
    assert ready.notes == ("before", "left out by configuration: signal, volatility_60")
    assert config.digest != LearningConfig().digest


def test_the_baseline_of_every_model_cannot_be_left_out() -> None:
    with pytest.raises(InputError, match="leave_out names momentum_12_1"):
        prepared(synthetic_dataset(sessions=400, assets=9), LearningConfig(leave_out=("momentum_12_1",)), "", False, ())

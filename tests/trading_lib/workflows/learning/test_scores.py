"""The factor Model_Score: where the overlay is on, of each session what was said then."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from tests.builders.markets import market_of, random_bars
from tests.builders.settings import make_settings
from tests.environment.stored_models import NOW, store_versions
from trading_lib.adapters.stores.learning.lifecycle_store import LifecycleStore, Reading
from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.adapters.stores.learning.score_store import SPOKE_AS
from trading_lib.learning.registered import Alias
from trading_lib.strategies.config import SleeveConfig, StrategySettings
from trading_lib.strategies.ml_overlay import MODEL_SCORE
from trading_lib.workflows.data.market import Market
from trading_lib.workflows.learning.scores import spread_scores, with_model_scores
from trading_lib.workflows.setup.settings import Settings

SESSIONS = [date(2026, 11, day) for day in (16, 17, 18, 19, 20)]
SPOKE = date(2021, 6, 15)


def with_overlay(settings: Settings, budget: float = 0.5) -> Settings:
    """The overlay and the trend sleeve share the capital."""
    configuration = settings.configuration
    sleeves = (
        SleeveConfig(name="mine", strategy="ml_overlay", budget=budget),
        SleeveConfig(name="trend", strategy="trend", budget=0.5),
    )
    strategy = StrategySettings(sleeves=sleeves)
    decision = configuration.decision.model_copy(update={"strategy": strategy})
    return replace(settings, configuration=replace(configuration, decision=decision))


@pytest.fixture
def market() -> Market:
    return market_of(random_bars(date(2021, 3, 1), date(2021, 6, 30), seed=1))


def test_scores_are_carried_over_a_gap_and_no_longer() -> None:
    found = {SESSIONS[0]: {"SPY": 0.5, "ELSEWHERE": 1.0}, SESSIONS[4]: {}}
    scores = spread_scores(found, SESSIONS, ("SPY", "GLD"), oldest=2)
    np.testing.assert_array_equal(scores[:, 0], [0.5, 0.5, 0.5, np.nan, np.nan])
    assert np.isnan(scores[:, 1]).all()


@pytest.mark.postgres
def test_the_factor_is_there_where_the_overlay_is_on_and_a_champion_spoke(
    market: Market, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    settings = with_overlay(make_settings(database_url, tmp_path))
    assert with_model_scores(market, settings, engine) is market
    store_versions(engine, Alias.CHAMPION)
    PredictionStore(engine).save([StoredPrediction(1, SPOKE, "SPY", 0.25, 0.0)], NOW)
    assert with_model_scores(market, settings, engine) is market
    LifecycleStore(engine).save_readings([Reading(1, SPOKE, SPOKE_AS[Alias.CHAMPION], 1.0)], NOW)
    found = with_model_scores(market, settings, engine)
    universe = settings.configuration.universe
    assert found.view(universe, SPOKE).factors[MODEL_SCORE][universe.positions["SPY"]] == 0.25
    assert np.isnan(found.view(universe, date(2021, 6, 14)).factors[MODEL_SCORE]).all()
    np.testing.assert_array_equal(found.factors.values[:-1], market.factors.values)
    assert with_model_scores(found, settings, engine) is found
    assert with_model_scores(market, with_overlay(settings, 0.0), engine) is market
    assert with_model_scores(market, make_settings(database_url, tmp_path), engine) is market


def test_without_a_database_the_market_stays_and_the_log_says_why(
    market: Market, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_overlay(make_settings("postgresql+psycopg2://nobody@127.0.0.1:1/none", tmp_path))
    assert with_model_scores(market, settings) is market
    assert "the overlay has no scores" in caplog.text


def test_a_backtest_without_the_overlay_loads_no_database_and_no_library_of_models() -> None:
    script = (
        "import sys; import trading_lib.workflows.research.backtest, trading_lib.workflows.learning.scores;"
        "print([n for n in ('lightgbm', 'xgboost', 'skfolio', 'mlflow', 'sqlalchemy') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[4]
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert answer.stdout.strip() == "[]"

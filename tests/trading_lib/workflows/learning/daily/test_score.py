"""The daily run asks the models, and goes on without them whatever is wrong with one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.learning.registered import Alias
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.learning.daily.score import score
from trading_lib.workflows.learning.predict import NOBODY
from trading_lib.workflows.trade.daily import run_daily

if TYPE_CHECKING:
    from tests.trading_lib.workflows.learning.conftest import ModelsInUse

pytestmark = pytest.mark.postgres
DAY = date(2021, 5, 18)
PROBLEM = f"models:problem:{DAY}"


def scored(models: ModelsInUse) -> dict[str, object]:
    return dict(score(models.plan(DAY), models.on(DAY)))


def alerted(models: ModelsInUse, key: str) -> bool:
    return AlertStore(models.settings.engine()).is_known(key)


def test_without_a_champion_it_says_so_in_one_line(models: ModelsInUse) -> None:
    assert scored(models) == {"session": DAY.isoformat(), "said": NOBODY, "models": [], "problem": ""}
    assert not alerted(models, PROBLEM)


def test_the_daily_run_asks_the_champion_before_it_trades(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    models.register(Alias.CHALLENGER, penalty=5.0)
    results = run_daily(models.plan(DAY), models.on(DAY))
    assert list(results).index("factors") < list(results).index("score") < list(results).index("settle")
    assert [(one["role"], one["version"]) for one in results["score"]["models"]] == [("champion", 1), ("challenger", 2)]
    assert results["score"]["problem"] == ""
    assert results["report"]["session"] == DAY.isoformat()
    assert PredictionStore(models.settings.engine()).newest_session(1) == DAY


def test_a_model_whose_file_was_changed_is_left_out_and_the_day_goes_on(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    with models.settings.engine().begin() as connection:
        connection.execute(text("ALTER TABLE model_files DISABLE TRIGGER only_added"))
        connection.execute(text("UPDATE model_files SET content = 'broken'"))
    results = run_daily(models.plan(DAY), models.on(DAY))
    assert "model version 1 (ridge)" in results["score"]["problem"]
    assert results["score"]["said"] == "goes on without models"
    assert results["report"]["session"] == DAY.isoformat()
    assert PredictionStore(models.settings.engine()).newest_session(1) is None
    assert alerted(models, PROBLEM)


def test_a_prediction_that_differs_from_the_stored_one_is_told_and_the_stored_one_stands(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    stored = StoredPrediction(1, DAY, "SPY", 0.123, 0.5)
    PredictionStore(models.settings.engine()).save([stored], models.after(DAY))
    assert "has said something else of SPY" in str(scored(models)["problem"])
    assert PredictionStore(models.settings.engine()).of_session(1, DAY) == [stored]
    assert alerted(models, PROBLEM)


def test_a_database_before_the_tables_of_models_does_not_stop_the_day(models: ModelsInUse) -> None:
    with models.settings.engine().begin() as connection:
        connection.execute(text("ALTER TABLE model_aliases RENAME TO gone"))
    found = scored(models)
    assert "model_aliases" in str(found["problem"])
    assert len(str(found["problem"]).splitlines()) == 1


def test_made_up_prices_are_scored_by_no_model_of_real_ones_and_nobody_is_told(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    plan = market_data.plan(DAY.isoformat(), "simulated", None, "demo", models.on(DAY))
    fetching.ingest_history(plan, models.on(DAY), DAY)
    found = score(plan, models.on(DAY))
    assert found["problem"] == ""
    assert "learned from files:prices, and these are prices of simulated" in found["said"]
    assert PredictionStore(models.settings.engine()).newest_session(1) is None
    assert not alerted(models, PROBLEM)

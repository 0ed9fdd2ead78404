"""What models say at a session: once, the same again, and the same when it is computed later."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import text

from tests.builders.price_folder import write_price_folder
from trading_lib.adapters.stores.learning.lifecycle_store import IC_READING, LifecycleStore
from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.adapters.stores.learning.score_store import ScoreStore
from trading_lib.domain.errors import InputError, SessionError, TradingError
from trading_lib.learning.registered import Alias
from trading_lib.workflows.learning.daily.observing import BOOK_RETURN
from trading_lib.workflows.learning.data import features_at
from trading_lib.workflows.learning.predict import NOBODY, OtherPricesError, check, predict
from trading_lib.workflows.learning.registry import open_model, stored_model

if TYPE_CHECKING:
    from tests.trading_lib.workflows.learning.conftest import ModelsInUse

pytestmark = pytest.mark.postgres
DAY, LAST = date(2021, 5, 18), date(2021, 6, 30)


def asked(models: ModelsInUse, session: date) -> dict[str, Any]:
    return predict(models.on(session), session, models.source)


def test_without_a_model_nothing_is_read_and_nothing_stored(models: ModelsInUse) -> None:
    assert asked(models, DAY) == {"session": DAY.isoformat(), "models": [], "said": NOBODY}
    models.register(Alias.CANDIDATE)
    assert asked(models, DAY)["models"] == []


def test_without_a_model_no_library_of_models_is_loaded(models: ModelsInUse, database_url: str) -> None:
    script = (
        "import sys; from datetime import date; from sqlalchemy import create_engine;"
        "from trading_lib.workflows.learning.predict import predict;"
        f"print(predict(None, date(2021, 5, 18), engine=create_engine({database_url!r}))['models'],"
        " [n for n in ('lightgbm', 'xgboost', 'skfolio', 'mlflow', 'shap', 'numba') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[4]
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert answer.stdout.strip() == "[] []"


def test_the_scores_are_the_model_s_own_of_what_was_known(models: ModelsInUse) -> None:
    model = models.register(Alias.CHAMPION)
    said = asked(models, DAY)["models"][0]
    features = features_at(models.on(DAY), DAY, models.source)
    columns = [features.names.index(name) for name in model.features]
    opened = open_model(stored_model(models.settings.engine(), model.version))
    expected = opened.predict(np.ascontiguousarray(features.values[columns, -1].T), model.features)
    stored = {row.symbol: row for row in PredictionStore(models.settings.engine()).of_session(1, DAY)}
    assert (said["role"], said["version"], said["scored"]) == ("champion", 1, len(stored) - len(said["abstained"]))
    assert said["scored"] >= 10
    for symbol, score in zip(features.symbols, expected, strict=True):
        assert stored[symbol].score == (None if symbol in said["abstained"] else pytest.approx(score, abs=1e-12))
    places = [row["score"] for row in said["ranks"]]
    assert places == sorted(places, reverse=True)


def test_asked_again_it_says_the_same_and_nothing_is_recorded_twice(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    first, again = asked(models, DAY), asked(models, DAY)
    assert first["models"][0]["new"] > 0
    assert again["models"][0]["new"] == 0
    assert again["models"][0]["ranks"] == first["models"][0]["ranks"]
    with models.settings.engine().connect() as connection:
        events = connection.execute(text("SELECT kind, session FROM model_events")).all()
    assert len(events) == len(set(events))


def test_what_was_said_on_a_day_is_recomputed_to_the_bit_when_more_is_known(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    models.register(Alias.CHALLENGER, penalty=5.0)
    asked(models, DAY)
    asked(models, LAST)
    found = check(models.on(LAST), DAY, models.source)
    assert found["same"]
    assert sorted((one["version"], one["differing"]) for one in found["models"]) == [(1, []), (2, [])]
    with pytest.raises(InputError, match="no model said anything for session 2021-05-19"):
        check(models.on(LAST), date(2021, 5, 19), models.source)


def test_a_prediction_that_was_changed_is_found(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    PredictionStore(models.settings.engine()).save([StoredPrediction(1, DAY, "SPY", 0.123, 0.5)], models.after(DAY))
    found = check(models.on(LAST), DAY, models.source)
    assert not found["same"]
    assert found["models"][0]["differing"] == ["SPY"]
    with pytest.raises(TradingError, match="has said something else of SPY"):
        asked(models, DAY)


def test_a_model_of_real_prices_is_not_asked_about_made_up_ones(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    with pytest.raises(OtherPricesError, match="learned from files:"):
        predict(models.on(DAY), DAY)


def told_scores(models: ModelsInUse) -> dict[date, dict[str, float]]:
    return ScoreStore(models.settings.engine()).scores(Alias.CHAMPION, date(2020, 1, 1), date(2030, 1, 1), False)


def test_what_is_said_of_a_folder_s_prices_is_not_stored_and_the_daily_run_goes_on(
    models: ModelsInUse, tmp_path: Path
) -> None:
    models.register(Alias.CHAMPION)
    other = write_price_folder(tmp_path / "other", date(2019, 1, 2), LAST, seed=99)
    (said,) = predict(models.on(DAY), DAY, data=other)["models"]
    assert (said["stored"], said["new"], said["in_use"]) == (False, 0, False)
    assert told_scores(models) == {}
    assert asked(models, DAY)["models"][0]["new"] == len(said["ranks"])
    assert list(told_scores(models)) == [DAY]


def test_a_session_whose_decision_is_ahead_or_whose_prices_are_not_there_is_refused(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    tomorrow = models.settings.calendar.next(DAY)
    with pytest.raises(SessionError, match=f"decision of session {tomorrow} is still ahead: ask about {DAY}"):
        predict(models.on(DAY), tomorrow, models.source)
    later = models.settings.calendar.next(LAST)
    with pytest.raises(SessionError, match=f"no prices of session {later} yet: ingest that session first"):
        predict(models.on(later), later, models.source)
    assert told_scores(models) == {}


def test_what_would_have_been_said_of_sessions_before_is_no_track_record(models: ModelsInUse) -> None:
    model = models.register(Alias.CHAMPION)
    learned_from = date(2020, 6, 1)
    assert not predict(models.on(DAY), learned_from, models.source)["models"][0]["in_use"]
    assert asked(models, DAY)["models"][0]["coefficients"] == 0
    readings = LifecycleStore(models.settings.engine()).readings
    assert readings(model.version, IC_READING) == {}
    assert readings(model.version, BOOK_RETURN) == {}

"""Only what a model said in office may be traded on, and of a session what was said first."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from tests.environment.stored_models import NOW, store_versions
from trading_lib.adapters.stores.learning.lifecycle_store import LifecycleStore, Reading
from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.adapters.stores.learning.score_store import SPOKE_AS, ScoreStore
from trading_lib.learning.registered import Alias

pytestmark = pytest.mark.postgres
DAY, NEXT, AFTER = date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 20)


@pytest.fixture
def store(engine: Engine) -> ScoreStore:
    store_versions(engine, Alias.CHAMPION, Alias.CHALLENGER, None)
    return ScoreStore(engine)


def says(engine: Engine, version: int, session: date, role: Alias | None, minutes: int = 0, **scores: float) -> None:
    rows = [StoredPrediction(version, session, symbol, score, 0.0) for symbol, score in scores.items()]
    rows.append(StoredPrediction(version, session, "TLT", None, None, "too old"))
    PredictionStore(engine).save(rows, NOW)
    if role is not None:
        at = NOW + timedelta(minutes=minutes)
        LifecycleStore(engine).save_readings([Reading(version, session, SPOKE_AS[role], 1.0)], at)


def test_only_who_spoke_in_that_role_counts(store: ScoreStore, engine: Engine) -> None:
    says(engine, 1, DAY, Alias.CHAMPION, SPY=0.2)
    says(engine, 2, DAY, Alias.CHALLENGER, SPY=0.9)
    says(engine, 3, NEXT, None, SPY=0.8)
    assert store.scores(Alias.CHAMPION, DAY, AFTER, simulated=False) == {DAY: {"SPY": 0.2}}
    assert store.scores(Alias.CHALLENGER, DAY, AFTER, simulated=False) == {DAY: {"SPY": 0.9}}
    assert store.scores(Alias.CHAMPION, NEXT, AFTER, simulated=False) == {}


def test_of_two_champions_of_a_session_the_first_one_stands(store: ScoreStore, engine: Engine) -> None:
    says(engine, 1, DAY, Alias.CHAMPION, minutes=5, SPY=0.2, GLD=0.1)
    says(engine, 2, DAY, Alias.CHAMPION, minutes=1, SPY=0.7)
    assert store.scores(Alias.CHAMPION, DAY, DAY, simulated=False) == {DAY: {"SPY": 0.7}}


def test_a_session_without_any_score_is_there(store: ScoreStore, engine: Engine) -> None:
    says(engine, 1, DAY, Alias.CHAMPION)
    assert store.scores(Alias.CHAMPION, DAY, DAY, simulated=False) == {DAY: {}}


def test_what_was_learned_from_real_prices_says_nothing_of_made_up_ones(store: ScoreStore, engine: Engine) -> None:
    says(engine, 1, DAY, Alias.CHAMPION, SPY=0.2)
    assert store.scores(Alias.CHAMPION, DAY, DAY, simulated=True) == {}

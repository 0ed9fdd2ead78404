"""Predictions are written once: the same again changes nothing, another one is a conflict."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.environment.stored_models import NOW, store_versions
from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.domain.errors import DecisionConflictError, InputError
from trading_lib.learning.registered import Alias

pytestmark = pytest.mark.postgres

DAY, NEXT = date(2026, 11, 19), date(2026, 11, 20)
SPY = StoredPrediction(1, DAY, "SPY", 0.25, 0.5)
GLD = StoredPrediction(1, DAY, "GLD", None, None, "features outside the training range")


@pytest.fixture
def store(engine: Engine) -> PredictionStore:
    store_versions(engine, Alias.CHAMPION, Alias.CHALLENGER)
    return PredictionStore(engine)


def test_what_a_version_said_comes_back(store: PredictionStore) -> None:
    assert store.newest_session(1) is None
    assert store.save([SPY, GLD, replace(SPY, version=2), replace(SPY, session=NEXT)], NOW) == 4
    assert store.of_session(1, DAY) == [GLD, SPY]
    assert store.between(1, DAY, NEXT) == [GLD, SPY, replace(SPY, session=NEXT)]
    assert store.newest_session(1) == NEXT
    assert store.save([SPY, GLD], NOW) == 0
    assert store.save([], NOW) == 0


def test_a_version_cannot_have_said_something_else(store: PredictionStore) -> None:
    store.save([SPY], NOW)
    with pytest.raises(DecisionConflictError, match="version 1 has said something else of SPY for session 2026-11-19"):
        store.save([GLD, replace(SPY, score=0.26)], NOW)
    assert store.of_session(1, DAY) == [SPY]


@pytest.mark.parametrize("broken", [replace(SPY, score=float("nan")), replace(GLD, abstained="")])
def test_neither_a_score_nor_a_reason_is_refused(store: PredictionStore, broken: StoredPrediction) -> None:
    with pytest.raises(InputError, match=r"the score of (SPY|GLD) for session 2026-11-19 is no number"):
        store.save([broken], NOW)


def test_no_prediction_can_be_changed_or_removed(store: PredictionStore, engine: Engine) -> None:
    store.save([SPY], NOW)
    for statement in ("UPDATE model_predictions SET score = 1", "DELETE FROM model_predictions"):
        with pytest.raises(DBAPIError, match="only ever added"), engine.begin() as connection:
            connection.execute(text(statement))

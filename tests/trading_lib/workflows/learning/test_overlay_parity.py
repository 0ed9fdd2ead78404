"""A paper book that follows a champion, and a backtest of its sessions, do the same to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.builders.parity import BOOK, assert_same_as_backtest
from trading_lib.learning.registered import Alias, AliasChange
from trading_lib.strategies.config import MlOverlayConfig, SleeveConfig
from trading_lib.workflows.learning.predict import predict
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import run_daily

if TYPE_CHECKING:
    from tests.trading_lib.workflows.learning.conftest import ModelsInUse

pytestmark = pytest.mark.postgres
FIRST, SECOND_CHAMPION, RETIRED, LAST = (date(2021, 5, day) for day in (10, 13, 17, 26))


def following(settings: Settings) -> Settings:
    """Most of the capital follows the champion, every session."""
    sleeves = (
        SleeveConfig(name="ml_overlay", strategy="ml_overlay", budget=0.7),
        SleeveConfig(name="trend", strategy="trend", budget=0.3),
    )
    decision = settings.configuration.decision
    changes = {"sleeves": sleeves, "ml_overlay": MlOverlayConfig(monthly=False, oldest_scores=2)}
    strategy = decision.strategy.model_copy(update=changes)
    decision = decision.model_copy(update={"strategy": strategy})
    return replace(settings, configuration=replace(settings.configuration, decision=decision))


def test_paper_and_backtest_see_the_scores_of_whoever_was_champion(models: ModelsInUse) -> None:
    """The champion changes, and the second one is retired: after two sessions its scores are too old."""
    models.register(Alias.CHAMPION)
    for session in models.settings.calendar.between(FIRST, LAST).astype(object).tolist():
        if session == SECOND_CHAMPION:
            models.register(Alias.CHAMPION, penalty=50.0, at=SECOND_CHAMPION)
        if session == RETIRED:
            for version in (1, 2):
                gone = AliasChange(version, None, "for a test", "tests", models.after(RETIRED))
                models.store.change(version, lambda model, aliases, gone=gone: [gone])
        run_daily(models.plan(session, BOOK), following(models.on(session)))
    # A model that comes later has said something of these sessions, too, and was not in office.
    models.register(Alias.CHAMPION, penalty=500.0, at=LAST)
    predict(models.on(LAST), FIRST, models.source)
    settings = following(models.on(LAST))
    assert assert_same_as_backtest(settings, models.folder, LAST) > 10

"""How models in use do, and what becomes of them, session by session."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trading_lib.adapters.stores.learning.lifecycle_store import IC_READING, LifecycleStore, Reading
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.adapters.stores.learning.score_store import SPOKE_AS, ScoreStore
from trading_lib.learning.config import Thresholds
from trading_lib.learning.evidence.book import tranche_book
from trading_lib.learning.evidence.information import information_coefficients
from trading_lib.learning.labels import forward_labels
from trading_lib.learning.registered import Alias
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.learning.daily.observing import BOOK_RETURN, DISTANCE, spoken_scores
from trading_lib.workflows.learning.daily.recording import DRIFT, RETIRED, RETRAIN
from trading_lib.workflows.learning.predict import predict

if TYPE_CHECKING:
    from tests.trading_lib.workflows.learning.conftest import ModelsInUse

pytestmark = pytest.mark.postgres
DAYS = [date(2021, 4, 20), date(2021, 4, 21), date(2021, 4, 22)]
# A horizon after the first of them, and a session that ends no month.
LATER = date(2021, 5, 20)
MONTH_END = date(2021, 5, 28)
LAST = date(2021, 6, 30)


def asked(models: ModelsInUse, session: date, **changes: Any) -> dict[str, Any]:
    settings = models.on(session)
    if changes:
        learning = settings.configuration.learning
        lifecycle = learning.lifecycle.model_copy(update=changes)
        learning = learning.model_copy(update={"lifecycle": lifecycle})
        settings = replace(settings, configuration=replace(settings.configuration, learning=learning))
    found: dict[str, Any] = predict(settings, session, models.source)["models"][0]
    return found


def life(models: ModelsInUse) -> LifecycleStore:
    return LifecycleStore(models.settings.engine())


def market_at(models: ModelsInUse, session: date) -> Market:
    settings = models.settings
    universe = settings.configuration.universe
    return market_from_store(market_store(settings), models.source, universe, settings.calendar, session)


def suffered(models: ModelsInUse, coefficient: float) -> None:
    """Thirty sessions with this information coefficient."""
    days = models.settings.calendar.between(date(2021, 4, 1), LAST).astype(object).tolist()[:30]
    life(models).save_readings([Reading(1, day, IC_READING, coefficient) for day in days], models.after(LATER))


def test_a_coefficient_is_known_a_horizon_later_and_not_before(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    for day in DAYS:
        assert asked(models, day)["coefficients"] == 0
    found = asked(models, LATER)
    market = market_at(models, LATER)
    labels = forward_labels(market.panel, 21)
    ics = information_coefficients(spoken_scores(models.settings.engine(), 1, market.panel), labels.rank)
    expected = {day: ics[market.row(day)] for day in DAYS if np.isfinite(ics[market.row(day)])}
    assert life(models).readings(1, IC_READING) == pytest.approx(expected)
    assert found["coefficients"] == len(expected) >= 1


def test_a_model_in_use_has_a_book_of_its_own_in_money(models: ModelsInUse) -> None:
    models.register(Alias.CHALLENGER)
    assert asked(models, DAYS[0])["shadow"] is None
    asked(models, DAYS[1])
    money = asked(models, DAYS[2])["shadow"]
    market = market_at(models, DAYS[2])
    rows = slice(market.row(DAYS[0]), None)
    scores = spoken_scores(models.settings.engine(), 1, market.panel)[rows]
    returns = np.nan_to_num(market.panel.mark_return[rows])
    expected = tranche_book(scores, returns, market.panel.fresh[rows], models.settings.configuration.learning.book)
    assert list(life(models).readings(1, BOOK_RETURN).values()) == pytest.approx(expected[1:].tolist())
    assert money["value"] == pytest.approx(100_000 * np.prod(1 + expected[1:]))
    assert money["since"] == DAYS[1].isoformat()
    assert money["equal_weights"] != money["value"]


def test_only_a_session_at_which_it_was_in_use_may_be_traded_on(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION, at=DAYS[2])
    before, after = asked(models, DAYS[0]), asked(models, DAYS[2])
    assert (before["in_use"], after["in_use"]) == (False, True)
    spoke = ScoreStore(models.settings.engine()).scores(Alias.CHAMPION, DAYS[0], LAST, simulated=False)
    assert list(spoke) == [DAYS[2]]


def test_a_decayed_champion_is_retired_with_the_reason_and_asked_no_more(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    suffered(models, -0.8)
    assert asked(models, LATER)["retire"]
    assert ModelStore(models.settings.engine()).aliases().holder(Alias.CHAMPION) is None
    (event,) = life(models).events(RETIRED)
    assert (event.version, event.session, event.caused_by) == (1, LATER, "lifecycle")
    assert "shortfall of the IC" in event.text
    change = ModelStore(models.settings.engine()).aliases().current[1]
    assert (change.by, change.reason) == ("lifecycle", event.text)
    assert predict(models.on(LAST), LAST, models.source)["models"] == []


def test_what_a_healthy_past_has_seen_retires_nobody_though_the_design_would(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION, validation=0.0)
    suffered(models, -0.1)
    found = asked(models, LATER)
    fired = {(one["name"], one["thresholds"]) for one in found["readings"] if one["fired"]}
    assert ("ic_retire", "design") in fired
    assert not found["retire"]
    assert ModelStore(models.settings.engine()).aliases().holder(Alias.CHAMPION) == 1


def test_the_design_s_thresholds_act_where_they_are_chosen(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION, validation=0.0)
    suffered(models, -0.1)
    assert asked(models, LATER, thresholds=Thresholds.DESIGN)["retire"]


def test_a_month_end_asks_for_a_training_once_and_spacing_holds_it_back(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    assert asked(models, MONTH_END)["retrain"]
    asked(models, MONTH_END)
    (event,) = life(models).events(RETRAIN)
    assert event.session == MONTH_END
    assert "month end" in event.text
    held = asked(models, LAST, spacing=40)
    assert not held["retrain"]
    assert any("retraining waits" in reason for reason in held["reasons"])


def test_drift_is_read_every_session_and_told_where_it_acts(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    found = asked(models, LATER)
    assert life(models).readings(1, DISTANCE)[LATER] == found["drift"]["distance"] > 0
    asked(models, date(2021, 5, 21), thresholds=Thresholds.DESIGN)
    assert [event.session for event in life(models).events(DRIFT)][-1] == date(2021, 5, 21)


def test_an_old_model_abstains_on_everything(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    found = asked(models, LAST, oldest=20)
    assert found["scored"] == 0
    assert all("ended 63 sessions ago" in reason for reason in found["abstained"].values())
    spoke = ScoreStore(models.settings.engine()).scores(Alias.CHAMPION, LAST, LAST, simulated=False)
    assert spoke == {LAST: {}}
    assert life(models).readings(1, SPOKE_AS[Alias.CHAMPION]) == {LAST: 1.0}

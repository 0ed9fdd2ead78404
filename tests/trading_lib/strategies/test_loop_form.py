"""A strategy says itself what the compiled loop needs of it; one that does not is traded session by session."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.builders.runs import FIRST, assert_same, changed, market, sessions_in_loop, slow_path
from trading_lib.backtest.compiled.inputs import form_of
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.strategies.loop_form import MARKET_ONLY, LoopForm, SessionPlan
from trading_lib.strategies.registry import register_strategy, running_sleeves

LAST = date(2022, 3, 31)


class Silent:
    """A twentieth of everything, every session; it says nothing of itself."""

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        return SleeveTarget(np.full(len(view.universe), 0.05))


class Spoken(Silent):
    """The same, for the loop."""

    def loop_form(self) -> LoopForm:
        return LoopForm(MARKET_ONLY, plan=lambda view: SessionPlan(np.full(len(view.universe), 0.05)))


class Fuller(Spoken):
    """A third more in the second half of a month, by overriding what the base decides."""

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        return SleeveTarget(np.full(len(view.universe), 0.05 if view.session.day < 16 else 0.065))


class Renamed(Spoken):
    """The same as its base."""


register_strategy("fuller", Fuller)
register_strategy("renamed", Renamed)
register_strategy("silent", Silent)
register_strategy("spoken", Spoken)


def test_a_strategy_of_ones_own_is_looped_where_it_says_how() -> None:
    silent, spoken = (changed(market(), {name: 1.0}) for name in ("silent", "spoken"))
    looped = run_backtest(spoken, FIRST, LAST)
    assert_same(looped, slow_path(spoken, last=LAST))
    assert sessions_in_loop(looped) > 0.8 * len(looped.nav)
    slowly = run_backtest(silent, FIRST, LAST)
    assert sessions_in_loop(slowly) == 0
    np.testing.assert_array_equal(slowly.nav, looped.nav)


def test_a_sleeve_that_says_nothing_is_no_sleeve_of_the_loop() -> None:
    (sleeve,) = running_sleeves(changed(market(), {"silent": 1.0}).config.strategy)
    assert sleeve.loop_form is None
    with pytest.raises(ValueError, match=r"sleeve silent is not for the loop: its strategy has no loop_form\(\)"):
        form_of(sleeve)


def test_a_class_that_overrides_what_its_base_decides_is_not_looped_as_the_base() -> None:
    fuller, renamed = (changed(market(), {name: 1.0}) for name in ("fuller", "renamed"))
    last = date(2021, 12, 31)
    run = run_backtest(fuller, FIRST, last)
    assert sessions_in_loop(run) == 0
    assert_same(run, slow_path(fuller, last=last))
    assert sessions_in_loop(run_backtest(renamed, FIRST, last)) > 0

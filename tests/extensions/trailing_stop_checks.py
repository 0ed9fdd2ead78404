"""What the trailing stop of stop_rule.patch does; `test_stop_rule` runs this on a copy of the package that has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from tests.builders.decisions import make_portfolio, make_state
from tests.builders.markets import SESSION, UNIVERSE
from tests.builders.runs import assert_same, changed, market, sessions_in_loop, slow_path
from trading_lib.adapters.stores.books.state_rows import risk_from, risk_row
from trading_lib.backtest.engine import run_backtest
from trading_lib.risk.assess import check_stops
from trading_lib.risk.config import RiskConfig, StopConfig

FIRST, LAST = date(2021, 11, 1), date(2022, 4, 29)
CONFIG = RiskConfig(stops=StopConfig(trailing=0.1))


def test_it_closes_what_fell_from_its_peak_and_forgets_what_is_sold() -> None:
    state = make_state()
    for mark, left in (("100", None), ("150", None), ("140", None), ("134", "0")):
        found = check_stops(state, make_portfolio(0, SPY=(10, 100, mark)), UNIVERSE, SESSION, CONFIG)
        assert (found.ceilings == {}) is (left is None)
        state = replace(state, stop_state=found.stop_state)
    assert found.stop_state == {"trailing_peak": {"SPY": 150.0}}
    assert found.events[0].reason == "SPY fell 10.7% from its highest price since it was bought, more than 10%"
    assert check_stops(state, make_portfolio(1000), UNIVERSE, SESSION, CONFIG).stop_state == {}


def test_its_peaks_are_stored() -> None:
    state = make_state(stop_state={"trailing_peak": {"SPY": 150.25}})
    assert risk_from(risk_row("book", state)) == state
    assert "stop_state" not in str(risk_row("book", make_state())["payload"])


def test_the_loop_and_the_objects_trail_alike() -> None:
    data = changed(market(daily_volatility=0.02), risk={"stops": {"trailing": 0.06}})
    loop = run_backtest(data, FIRST, LAST)
    assert_same(loop, slow_path(data, FIRST, LAST))
    assert sessions_in_loop(loop) > 0.8 * len(loop.nav)
    assert any("fell" in event.reason for event in loop.events if event.kind == "stop_exit")
    assert loop.risk.stop_state["trailing_peak"]

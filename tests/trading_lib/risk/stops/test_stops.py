"""Asset stops from average cost (docs/specification.md#asset-stops)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.builders.decisions import make_portfolio, make_state
from tests.builders.markets import SESSION, UNIVERSE
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskState
from trading_lib.risk.assess import check_stops
from trading_lib.risk.config import RiskConfig, StopConfig
from trading_lib.risk.stops.stops import StopStep

CONFIG = RiskConfig()


def stops(portfolio: Portfolio, state: RiskState | None = None, config: RiskConfig = CONFIG) -> StopStep:
    return check_stops(state or make_state(), portfolio, UNIVERSE, SESSION, config)


@pytest.mark.parametrize(
    ("mark", "ceiling"),
    [
        ("100.00", None),
        ("88.00", None),  # exactly 12 % is not more than 12 %
        ("87.99", "5"),
        ("82.00", "5"),  # exactly 18 %, which floats make 18.000000000000004 %
        ("81.99", "0"),
        ("0.01", "0"),
    ],
)
def test_more_than_12_percent_halves_and_more_than_18_percent_closes(mark: str, ceiling: str | None) -> None:
    found = stops(make_portfolio(0, SPY=(11, 100, mark)))
    assert found.ceilings == ({} if ceiling is None else {"SPY": Decimal(ceiling)})
    if ceiling is not None:
        event = found.events[0]
        assert event.kind == ("stop_exit" if ceiling == "0" else "stop_reduce")
        assert event.actions == (("EXIT",) if ceiling == "0" else ("REDUCE_50%",))
        assert event.reason == found.reasons["SPY"]
        assert "from its average cost 100.00" in event.reason
        assert found.cooling_off == {"SPY": 5}


def test_a_position_is_halved_once() -> None:
    first = stops(make_portfolio(0, SPY=(10, 100, 85)))
    assert first.halved == {"SPY"}
    later = stops(make_portfolio(0, SPY=(5, 100, 85)), make_state(halved=first.halved))
    assert later.ceilings == {}
    assert later.halved == {"SPY"}
    assert stops(make_portfolio(0, SPY=(5, 100, 81)), make_state(halved=first.halved)).ceilings == {"SPY": Decimal(0)}


def test_a_position_opened_anew_may_be_halved_anew() -> None:
    assert stops(make_portfolio(1000), make_state(halved=frozenset({"SPY"}))).halved == frozenset()


def test_bitcoin_has_the_exit_alone() -> None:
    assert stops(make_portfolio(0, BTC_USD=("0.5", 20_000, 16_500))).ceilings == {}
    assert stops(make_portfolio(0, BTC_USD=("0.5", 20_000, 16_399))).ceilings == {"BTC-USD": Decimal(0)}


def test_half_of_an_odd_lot_rounds_down() -> None:
    assert stops(make_portfolio(0, SPY=(1, 100, 85))).ceilings == {"SPY": Decimal(0)}
    assert stops(make_portfolio(0, SPY=(7, 100, 85))).ceilings == {"SPY": Decimal(3)}


def test_a_stopped_asset_cools_off_for_five_sessions() -> None:
    state = make_state()
    found = stops(make_portfolio(0, SPY=(10, 100, 81)), state)
    left = []
    while found.cooling_off:
        left.append(found.cooling_off["SPY"])
        found = stops(make_portfolio(1000), make_state(cooling_off=found.cooling_off))
    assert left == [5, 4, 3, 2, 1]


def test_without_a_cool_off_only_the_session_of_the_stop_counts() -> None:
    config = RiskConfig(stops=StopConfig(cool_off_sessions=0))
    found = stops(make_portfolio(0, SPY=(10, 100, 81)), config=config)
    assert found.cooling_off == {"SPY": 0}
    assert stops(make_portfolio(0), make_state(cooling_off=found.cooling_off), config).cooling_off == {}


def test_a_gain_stops_nothing() -> None:
    found = stops(make_portfolio(0, SPY=(10, 100, 180), GLD=(10, 100, 100)))
    assert (found.ceilings, found.events, found.cooling_off) == ({}, (), {})

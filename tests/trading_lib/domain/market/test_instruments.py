"""The universe fixes the order of every asset axis."""

from __future__ import annotations

import pytest

from tests.builders.prices import universe
from trading_lib.domain.errors import UnknownSymbolError

UNIVERSE = universe()


def test_arrays_follow_the_order_of_the_instruments() -> None:
    for index, instrument in enumerate(UNIVERSE):
        assert UNIVERSE.positions[instrument.symbol] == index
        assert UNIVERSE.max_weights[index] == instrument.max_weight
        assert UNIVERSE.volatility_targets[index] == instrument.volatility_target
        assert UNIVERSE.safe_havens[index] == instrument.safe_haven
        assert UNIVERSE.crypto[index] == (instrument.symbol == "BTC-USD")


def test_coins_have_365_bars_a_year() -> None:
    assert UNIVERSE.periods_per_year[UNIVERSE.positions["SPY"]] == 252.0
    assert UNIVERSE.periods_per_year[UNIVERSE.positions["BTC-USD"]] == 365.0


def test_selecting_keeps_the_order_of_the_universe() -> None:
    assert UNIVERSE.select(("TLT", "SPY", "GLD")).symbols == ("GLD", "SPY", "TLT")


def test_an_unknown_symbol_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownSymbolError, match=r"'SPYX' is not in the universe: did you mean SPY\? use one of GLD"):
        UNIVERSE["SPYX"]
    with pytest.raises(UnknownSymbolError, match="SPYX"):
        UNIVERSE.select(("GLD", "SPYX"))

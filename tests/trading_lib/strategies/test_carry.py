"""The carry sleeve's rules, one session at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.builders.carry import SHORT, carry_config, hedged_universe
from tests.builders.decisions import make_regime, make_signals
from tests.builders.markets import ASSETS, at, make_view, vector
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.market.funding import FundingView
from trading_lib.strategies.carry import Carry, VenueReading, venue_limit, venue_step
from trading_lib.strategies.config import CarryConfig, SleeveConfig, StrategySettings
from trading_lib.strategies.registry import running_sleeves

BTC = at("BTC-USD")
CONFIG = carry_config()
BOTH = carry_config(allowed_venues=("binance", "bybit"))


def known(rate: float, ratio: float = 1.0, age: float = 5.5) -> VenueReading:
    return VenueReading(rate, rate * 3 * 365, ratio, age)


def step(rate: float, held: float = 0.0, ratio: float = 1.0, age: float = 5.5, config: CarryConfig = CONFIG) -> float:
    return venue_step(config, "binance", known(rate, ratio, age), held, venue_limit(config, 1.0)).weight


def decided(config: CarryConfig, rates: dict[str, float], budget: float = 1.0, **hedged: float) -> SleeveTarget:
    """What the sleeve wants; ``hedged`` are shares of net asset value short, by venue."""
    values = list(rates.values())
    columns = [np.array(values), np.array(values) * 1095, np.ones(len(values)), np.full(len(values), 5.5)]
    view = make_view(universe=hedged_universe(config), funding=FundingView(tuple(rates), *columns))
    return Carry(config).target(view, sleeve(budget, **hedged))


def sleeve(budget: float = 1.0, memory: dict[str, float] | None = None, **hedged: float) -> SleeveView:
    short = {f"{venue.upper()}:BTC-USDT": weight / budget for venue, weight in hedged.items()}
    held = vector(0.0, BTC_USD=sum(short.values()))
    return SleeveView(held, np.zeros(ASSETS), memory or {}, make_regime(), make_signals(), budget, short)


@pytest.mark.parametrize(
    ("rate", "held", "wanted"),
    [
        (0.00010, 0.0, 0.00), (0.000101, 0.0, 0.06), (0.003, 0.0, 0.06), (0.0, 0.0, 0.0),
        (0.00010, 0.05, 0.05), (0.0, 0.05, 0.05), (-0.0001, 0.05, 0.05), (-0.000101, 0.05, 0.0), (-0.003, 0.05, 0.0),
        (-0.003, 0.0, 0.0),
    ],
)  # fmt: skip
def test_entry_and_exit_have_a_band_between_them(rate: float, held: float, wanted: float) -> None:
    assert step(rate, held) == pytest.approx(wanted)


@pytest.mark.parametrize(("ratio", "opens"), [(3.0, True), (3.01, False), (math.inf, False), (math.nan, False)])
def test_nothing_is_opened_or_enlarged_while_the_rate_is_too_volatile_or_nobody_can_tell(
    ratio: float, opens: bool
) -> None:
    assert step(0.0005, ratio=ratio) == (pytest.approx(0.06) if opens else 0.0)
    assert step(0.0005, held=0.03, ratio=ratio) == pytest.approx(0.06 if opens else 0.03)
    assert step(-0.0005, held=0.03, ratio=ratio) == 0.0


@pytest.mark.parametrize(
    ("age", "held", "wanted"), [(20.0, 0.0, 0.0), (20.0, 0.05, 0.05), (72.0, 0.05, 0.05), (72.1, 0.05, 0.0)]
)
def test_without_a_rate_nothing_is_opened_and_after_three_days_all_is_closed(
    age: float, held: float, wanted: float
) -> None:
    found = venue_step(CONFIG, "binance", VenueReading(age_hours=age), held, 0.08)
    assert found.weight == pytest.approx(wanted)
    assert f"{age:.0f} hours old" in found.reason


def test_a_venue_without_any_rate_is_said_to_have_none() -> None:
    assert venue_step(CONFIG, "binance", None, 0.0, 0.08).reason == "no usable rate (none is known), nothing is opened"
    assert venue_step(CONFIG, "binance", None, 0.05, 0.08).weight == 0.0


def test_what_has_outgrown_its_limit_is_cut_to_where_it_would_be_opened() -> None:
    assert step(0.0, held=0.0801) == pytest.approx(0.06)
    assert step(0.0005, held=0.0801) == pytest.approx(0.06)
    assert step(0.0005, held=0.0799) == pytest.approx(0.0799)


def test_the_limits_are_shares_of_net_asset_value_whatever_the_sleeves_budget() -> None:
    assert venue_limit(CONFIG, 1.0) == 0.08
    assert venue_limit(BOTH, 1.0) == 0.05
    # Spot leg and margin of the short are both paid from the sleeve's own capital.
    assert venue_limit(CONFIG, 0.10) == pytest.approx(0.05)
    assert venue_limit(BOTH, 0.10) == pytest.approx(0.025)
    assert venue_limit(carry_config(margin=0.0), 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("budget", [1.0, 0.3])
def test_the_spot_weight_equals_the_short_legs(budget: float) -> None:
    found = decided(BOTH, {"binance": 0.0003, "bybit": 0.0002}, budget)
    assert found.hedges == {
        SHORT: pytest.approx(0.0375 / budget),
        "BYBIT:BTC-USDT": pytest.approx(0.0375 / budget),
    }
    assert found.weights[BTC] == pytest.approx(0.075 / budget)
    assert np.delete(found.weights, BTC).sum() == 0


def test_each_venue_goes_by_its_own_rate() -> None:
    found = decided(BOTH, {"binance": -0.0005, "bybit": 0.0}, binance=0.04, bybit=0.03)
    assert found.hedges == {"BYBIT:BTC-USDT": pytest.approx(0.03)}
    assert found.rationale()["BTC-USD"].count("->") == 2


def test_the_words_give_the_numbers() -> None:
    words = decided(CONFIG, {"binance": 0.00025}).rationale()
    assert words == {
        "BTC-USD": "binance: +0.02500% per 8 hours (+27.4% a year) is above 0.010% -> 6.0% of net asset value"
    }


def test_a_venue_that_is_no_longer_allowed_is_closed() -> None:
    found = decided(CONFIG, {"binance": 0.0, "bybit": 0.01}, binance=0.04, bybit=0.03)
    assert found.hedges == {SHORT: pytest.approx(0.04)}
    assert "bybit: the venue is no longer allowed" in found.rationale()["BTC-USD"]


def test_without_an_allowed_venue_the_sleeve_is_off_and_says_so() -> None:
    found = Carry(CarryConfig()).target(make_view(), sleeve())
    assert not found.weights.any()
    assert found.hedges == {}
    assert "carry is off: no venue is allowed" in found.rationale()[""]


def test_without_funding_rates_nothing_is_opened_and_it_is_said() -> None:
    found = Carry(CONFIG).target(make_view(), sleeve())
    assert not found.weights.any()
    assert "no funding rates are known" in found.rationale()[""]


def test_entries_exits_and_pauses_are_told_once() -> None:
    def events(
        rate: float, ratio: float, memory: dict[str, float], **hedged: float
    ) -> tuple[list[str], dict[str, float]]:
        columns = (np.array([rate]), np.array([rate]), np.array([ratio]), np.array([5.0]))
        view = make_view(funding=FundingView(("binance",), *columns))
        found = Carry(CONFIG).target(view, sleeve(memory=memory, **hedged))
        return [event.kind for event in found.events], dict(found.memory)

    told, memory = events(0.0005, 1.0, {})
    assert told == ["carry_entry"]
    told, memory = events(0.0005, 1.0, memory, binance=0.06)
    assert told == []
    told, memory = events(0.0005, 4.0, memory, binance=0.06)
    assert told == ["carry_pause"]
    told, memory = events(0.0005, 4.0, memory, binance=0.06)
    assert told == []
    told, memory = events(-0.0005, 4.0, memory, binance=0.06)
    assert told == ["carry_exit"]
    told, memory = events(-0.0005, 4.0, memory, binance=0.06)
    assert (told, memory) == ([], {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entry_rate": -0.001}, "exit_rate must be below entry_rate"),
        ({"allowed_venues": ("Binance",)}, "write an exchange as 'binance'"),
        ({"allowed_venues": ("binance", "binance")}, "names an exchange twice"),
        ({"minimum_days": 100.0}, "minimum_days must not exceed history_days"),
        ({"max_weight": 1.5}, "less than or equal to 1"),
        ({"entry_rate": math.nan}, "finite number"),
        ({"perpetual": "BTCUSDT"}, "pattern"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        carry_config(**changes)


def test_options_change_rules_but_not_the_account() -> None:
    def settings(**options: Any) -> StrategySettings:
        return StrategySettings(
            sleeves=(SleeveConfig(name="carry", strategy="carry", budget=0.2, options=options),), carry=CONFIG
        )

    assert running_sleeves(settings(entry_rate=0.0002))[0].hedges
    with pytest.raises(ConfigurationError, match="sleeve carry: venues, contract, its costs and windows belong into"):
        running_sleeves(settings(allowed_venues=["bybit"]))


def test_two_carry_sleeves_could_not_be_told_apart() -> None:
    two = tuple(SleeveConfig(name=name, strategy="carry", budget=0.1) for name in ("one", "two"))
    with pytest.raises(ValidationError, match="more than one sleeve runs carry"):
        StrategySettings(sleeves=two)

"""The signal rules, their order where they overlap, the regime filter and the words (docs/specification.md#signals)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders.decisions import make_regime
from tests.builders.markets import ASSETS, make_view
from trading_lib.domain.decision.signals import MarketRegime, SignalType
from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.market_view import MarketView
from trading_lib.strategies import signals
from trading_lib.strategies.config import SignalConfig
from trading_lib.strategies.signals import describe_signals, generate_signals

CONFIG = SignalConfig()


def view_of(
    momentum: float, price: float, sma_20: float, sma_50: float, sma_200: float, volatility: float = 0.15, **more: Any
) -> MarketView:
    """Every asset in the same situation."""
    numbers = {
        "Momentum_60": momentum,
        "Volatility_60": volatility,
        "SMA_20": sma_20,
        "SMA_50": sma_50,
        "SMA_200": sma_200,
    }
    factors = {name: np.full(ASSETS, number) for name, number in numbers.items()}
    return make_view(factors, close=np.full(ASSETS, price), total_return_close=np.full(ASSETS, price), **more)


def signal_of(view: MarketView, regime: MarketRegime = MarketRegime.NORMAL) -> SignalType:
    return SignalType(int(generate_signals(view, make_regime(regime), CONFIG).codes[0]))


# momentum, price, SMA_20, SMA_50, SMA_200 -> signal
RULES = [
    # One rule alone.
    ((0.12, 110, 105, 100, 95), SignalType.STRONG_BUY),
    ((0.05, 110, 105, 100, 95), SignalType.BUY),
    ((-0.05, 110, 105, 100, 95), SignalType.SELL),
    ((0.05, 98, 95, 100, 90), SignalType.SELL),
    ((-0.12, 90, 95, 100, 105), SignalType.STRONG_SELL),
    ((0.01, 110, 105, 100, 95), SignalType.HOLD),
    ((0.05, 103, 105, 100, 95), SignalType.HOLD),
    # Overlaps: reduction wins.
    ((0.12, 98, 95, 100, 90), SignalType.SELL),  # BUY's and SELL's conditions
    ((0.30, 99, 90, 100, 110), SignalType.SELL),
    ((-0.12, 90, 85, 80, 95), SignalType.STRONG_SELL),  # above SMA_50, below SMA_200
    ((-0.12, 90, 85, 95, 85), SignalType.SELL),  # strong fall, but above SMA_200
    ((0.12, 110, 105, 100, 115), SignalType.BUY),  # strong rise below SMA_200: BUY only
    ((0.12, 103, 105, 100, 115), SignalType.HOLD),  # and not even that below SMA_20
    ((0.12, 103, 105, 100, 95), SignalType.STRONG_BUY),  # STRONG_BUY does not look at SMA_20
    # Thresholds are exclusive.
    ((0.10, 110, 105, 100, 95), SignalType.BUY),
    ((0.02, 110, 105, 100, 95), SignalType.HOLD),
    ((-0.02, 110, 105, 100, 95), SignalType.HOLD),
    ((-0.10, 90, 95, 80, 105), SignalType.SELL),
    ((0.05, 100, 95, 100, 90), SignalType.BUY),  # price at SMA_50 is not below it
    ((0.05, 100, 100, 90, 90), SignalType.HOLD),  # price at SMA_20 is not above it
    ((-0.12, 100, 95, 90, 100), SignalType.SELL),  # price at SMA_200 is not below it
]


@pytest.mark.parametrize(("numbers", "expected"), RULES)
def test_rules_in_the_order_of_the_specification(numbers: tuple[float, ...], expected: SignalType) -> None:
    assert signal_of(view_of(*numbers)) is expected


SITUATIONS = st.tuples(st.floats(-0.3, 0.3), *(st.floats(80, 120) for _ in range(4)))


@settings(deadline=None)
@given(SITUATIONS, st.sampled_from([MarketRegime.NORMAL, MarketRegime.HIGH_VOL]))
def test_rules_equal_their_plain_reading(numbers: tuple[float, ...], regime: MarketRegime) -> None:
    momentum, price, sma_20, sma_50, sma_200 = numbers
    if momentum < -0.10 and price < sma_200:
        expected = SignalType.STRONG_SELL
    elif momentum < -0.02 or price < sma_50:
        expected = SignalType.SELL
    elif momentum > 0.10 and price > sma_50 and price > sma_200 and regime is MarketRegime.NORMAL:
        expected = SignalType.STRONG_BUY
    elif momentum > 0.02 and price > sma_20:
        expected = SignalType.BUY
    else:
        expected = SignalType.HOLD
    assert signal_of(view_of(*numbers), regime) is expected


STRONG_BUY = (0.12, 110.0, 105.0, 100.0, 95.0)
BUY = (0.05, 110.0, 105.0, 100.0, 95.0)
STRONG_SELL = (-0.12, 90.0, 95.0, 100.0, 105.0)


@pytest.mark.parametrize(
    ("regime", "expected"),
    [
        (MarketRegime.NORMAL, SignalType.STRONG_BUY),
        (MarketRegime.ELEVATED, SignalType.STRONG_BUY),
        (MarketRegime.HIGH_VOL, SignalType.BUY),
        (MarketRegime.EXTREME, SignalType.HOLD),
    ],
)
def test_a_strong_buy_needs_a_calm_market(regime: MarketRegime, expected: SignalType) -> None:
    assert signal_of(view_of(*STRONG_BUY), regime) is expected


def test_extreme_volatility_blocks_buys_and_lets_reductions_through() -> None:
    panel = generate_signals(view_of(*BUY), make_regime(MarketRegime.EXTREME), CONFIG)
    assert set(panel.codes) == {SignalType.HOLD}
    assert set(panel.unfiltered_codes) == {SignalType.BUY}
    assert signal_of(view_of(*STRONG_SELL), MarketRegime.EXTREME) is SignalType.STRONG_SELL


@pytest.mark.parametrize("numbers", [BUY, STRONG_SELL])
def test_high_volatility_halves_every_confidence(numbers: tuple[float, ...]) -> None:
    calm = generate_signals(view_of(*numbers), make_regime(), CONFIG).confidence
    wild = generate_signals(view_of(*numbers), make_regime(MarketRegime.HIGH_VOL), CONFIG).confidence
    assert calm[0] > 0
    np.testing.assert_array_equal(wild, calm / 2)


@settings(deadline=None)
@given(
    st.tuples(st.floats(-0.9, 3.0), st.floats(0.01, 2.0)),
    st.tuples(st.floats(-0.9, 3.0), st.floats(0.01, 2.0)),
)
def test_confidence_is_a_share_and_monotone_in_momentum_over_volatility(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    found = []
    for momentum, volatility in (one, other):
        panel = generate_signals(view_of(momentum, 110, 105, 100, 95, volatility), make_regime(), CONFIG)
        found.append(float(panel.confidence[0]))
        assert 0.0 <= found[-1] <= 1.0
    ratios = [abs(momentum) / volatility for momentum, volatility in (one, other)]
    if ratios[0] > ratios[1] * (1 + 1e-9):
        assert found[0] >= found[1]
    if 0.05 < ratios[1] < ratios[0] * 0.9 < 5:
        assert found[0] > found[1]


def test_confidence_where_nothing_varies() -> None:
    flat = generate_signals(view_of(0.0, 100, 99, 98, 97, volatility=0.0), make_regime(), CONFIG)
    risen = generate_signals(view_of(0.1, 100, 99, 98, 97, volatility=0.0), make_regime(), CONFIG)
    assert flat.confidence[0] == 0.0
    assert risen.confidence[0] == 1.0


@pytest.mark.parametrize("name", ["Momentum_60", "Volatility_60", "SMA_20", "SMA_50", "SMA_200"])
def test_a_missing_factor_means_hold_without_confidence(name: str) -> None:
    view = view_of(*STRONG_BUY)
    view.factors[name][3] = np.nan
    panel = generate_signals(view, make_regime(), CONFIG)
    assert panel.codes[3] == SignalType.HOLD
    assert panel.confidence[3] == 0.0
    assert not panel.complete[3]
    assert panel.codes[2] == SignalType.STRONG_BUY
    assert panel.complete.sum() == ASSETS - 1


def reasons(view: MarketView, regime: MarketRegime = MarketRegime.NORMAL, index: float = 15.0) -> list[str]:
    reading = make_regime(regime, index)
    panel = generate_signals(view, reading, CONFIG)
    return [signal.reason for signal in describe_signals(view, reading, panel, np.zeros(ASSETS), CONFIG)]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (STRONG_BUY, "60-day momentum +12.0% > 10%, price 110.00 > SMA_50 100.00 and price 110.00 > SMA_200 95.00"),
        (BUY, "60-day momentum +5.0% > 2% and price 110.00 > SMA_20 105.00"),
        ((-0.05, 110, 105, 100, 95), "60-day momentum -5.0% < -2%"),
        ((0.05, 98, 95, 100, 90), "price 98.00 <= SMA_50 100.00 (60-day momentum +5.0%)"),
        (STRONG_SELL, "60-day momentum -12.0% < -10% and price 90.00 <= SMA_200 105.00"),
        ((0.01, 110, 105, 100, 95), "no rule applies: 60-day momentum +1.0%, price 110.00 > SMA_20 105.00"),
    ],
)
def test_reasons_hold_the_numbers_the_rule_used(numbers: tuple[float, ...], words: str) -> None:
    assert reasons(view_of(*numbers))[0] == words


def test_reasons_name_the_regime_that_changed_something() -> None:
    assert reasons(view_of(*BUY), MarketRegime.EXTREME, 45.2)[0].endswith("; ^VIX 45.2 is extreme, so no buying")
    assert "extreme" not in reasons(view_of(*STRONG_SELL), MarketRegime.EXTREME, 45.2)[0]
    assert reasons(view_of(*BUY), MarketRegime.HIGH_VOL)[0].endswith("; high volatility halves the confidence")


def test_reasons_name_what_is_missing() -> None:
    fresh = np.ones(ASSETS, dtype=np.bool_)
    fresh[0] = False
    view = view_of(*BUY, fresh=fresh)
    for name in ("Momentum_60", "SMA_200"):
        view.factors[name][:2] = np.nan
    view.factors["SMA_200"][2] = np.nan
    view.factors["SMA_20"][3] = np.nan
    found = reasons(view)
    assert found[0] == "no new bar this session: no signal"
    assert found[1] == "history too short for Momentum_60 and SMA_200: no signal"
    assert found[2] == "history too short for SMA_200: no signal"
    assert found[3] == "history too short for the factors: no signal"


def test_prices_in_reasons_are_raw_dollars() -> None:
    view = make_view(
        {
            "Momentum_60": np.full(ASSETS, 0.05),
            "SMA_20": np.full(ASSETS, 210.0),
            "SMA_50": np.full(ASSETS, 200.0),
            "SMA_200": np.full(ASSETS, 190.0),
        },
        close=np.full(ASSETS, 110.0),
        total_return_close=np.full(ASSETS, 220.0),
        price_factor=np.full(ASSETS, 2.0),
    )
    assert "price 110.00 > SMA_20 105.00" in reasons(view)[0]


def test_a_signal_carries_what_is_stored() -> None:
    view, reading = view_of(*BUY), make_regime()
    panel = generate_signals(view, reading, CONFIG)
    signal = describe_signals(view, reading, panel, np.full(ASSETS, 0.07), CONFIG)[4]
    assert (signal.symbol, signal.session, signal.target_weight) == (view.universe.symbols[4], view.session, 0.07)
    assert signal.confidence == panel.confidence[4]
    assert signal.regime is MarketRegime.NORMAL


@settings(deadline=None)
@given(SITUATIONS, st.booleans(), st.floats(0, 0.5))
def test_compiled_and_uncompiled_agree(numbers: tuple[float, ...], calm: bool, volatility: float) -> None:
    momentum, *prices = numbers
    columns = [np.array([value, np.nan]) for value in (prices[0], momentum, volatility, *prices[1:])]
    arguments = (*columns, np.array([252.0, 365.0]), calm, 0.10, 0.02, -0.02, -0.10)
    compiled, plain = signals.signal_rules(*arguments), python_version(signals.signal_rules)(*arguments)
    np.testing.assert_array_equal(compiled[0], plain[0])
    np.testing.assert_allclose(compiled[1], plain[1], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(compiled[2], plain[2])


def test_thresholds_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValidationError, match="the thresholds must rise"):
        SignalConfig(momentum_low=0.2)

"""An explanation's steps lead to the weights that risk control approved, and begin where the targets were."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_portfolio, make_regime, make_signals, make_state, make_targets
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.decision.weights import WeightStep
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.limits.buy_restrictions import CONFIDENCE, COOL_OFF, LADDER, LIQUIDATION, NO_CRYPTO, SELL_ONLY
from trading_lib.risk.rationale import buy_restriction_steps

CONFIG = RiskConfig(simulated_approval=False)


def assess(
    state: RiskState, targets: FloatArray, held: FloatArray, confidence: FloatArray, cash: str = "100000"
) -> tuple[RiskAssessment, tuple[WeightStep, ...]]:
    view, portfolio, signals = make_view(), make_portfolio(cash), make_signals(1, confidence)
    wanted = make_targets(targets)
    found = assess_risk(view, make_regime(), signals, wanted, held, portfolio, state, CONFIG)
    return found, buy_restriction_steps(view, signals, wanted, held, portfolio, found, CONFIG)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([100_000.0, 106_000.0, 110_000.0, 115_000.0, 120_000.0]),
    st.sampled_from([None, 0, 7, 14]),
    st.booleans(),
)
def test_the_steps_end_at_the_approved_weights(seed: int, peak: float, recovery: int | None, stopped: bool) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.random(ASSETS) * 0.2
    held = generator.random(ASSETS) * 0.2 * (generator.random(ASSETS) < 0.5)
    state = make_state(
        reference_peak=peak, peak=peak, recovery_sessions=recovery, cooling_off={"SPY": 4} if stopped else {}
    )
    found, steps = assess(state, targets, held, generator.random(ASSETS))
    weights = targets
    for step in steps:
        np.testing.assert_array_equal(step.before, weights)
        assert (step.after <= step.before).all()
        weights = step.after
    np.testing.assert_array_equal(weights, found.weights)
    for i, symbol in enumerate(UNIVERSE.symbols):
        assert {s.rule for s in steps if i in s.details} == set(found.clips.get(symbol, ()))


@pytest.mark.parametrize(
    ("state", "rules"),
    [
        ({"reference_peak": 107_000.0}, [NO_CRYPTO, CONFIDENCE]),
        ({"reference_peak": 110_000.0}, [SELL_ONLY, NO_CRYPTO, CONFIDENCE]),
        ({"reference_peak": 120_000.0}, [LIQUIDATION, NO_CRYPTO, CONFIDENCE]),
        ({"recovery_sessions": 0}, [LADDER]),
        ({"cooling_off": {"SPY": 3}}, [COOL_OFF]),
    ],
)
def test_the_rule_that_bound_is_named(state: dict[str, object], rules: list[str]) -> None:
    confidence = vector(0.9, GLD=0.1)
    _, steps = assess(make_state(**state), vector(0.0, SPY=0.2, GLD=0.2, BTC_USD=0.05), np.zeros(ASSETS), confidence)
    assert [step.rule for step in steps] == rules


def test_the_ladder_says_how_much_it_allows() -> None:
    _, (step,) = assess(make_state(recovery_sessions=0), vector(0.0, SPY=0.2), np.zeros(ASSETS), vector(0.9))
    assert step.details == {at("SPY"): "re-entry buys 25% of the normal size"}
    assert step.after[at("SPY")] == pytest.approx(0.05)
    assert Decimal(str(step.before[at("SPY")])) == Decimal("0.2")

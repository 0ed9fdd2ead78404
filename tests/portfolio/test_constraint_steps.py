"""An explanation's steps lead to the weights that were decided, and name the same constraints."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market_builders import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraint_steps import constraint_steps
from trading_lib.portfolio.constraints import CAP, CASH_BUFFER, NOT_TRADABLE, PAIR_CAP, constrain

CONFIG = ConstraintConfig()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 4), st.floats(0, 1))
def test_the_steps_end_at_the_target_weights_and_name_its_clips(seed: int, together: float, size: float) -> None:
    generator = np.random.default_rng(seed)
    returns = generator.normal(0, 0.01, (130, 1)) * together * generator.choice([-1, 0, 1, 1], ASSETS)
    view = make_view(
        common_returns=returns + generator.normal(0, 0.01, (130, ASSETS)), fresh=generator.random(ASSETS) < 0.8
    )
    wanted = generator.random(ASSETS) * size * (generator.random(ASSETS) < 0.6)
    held = generator.random(ASSETS) * 0.2 * (generator.random(ASSETS) < 0.5)
    targets = constrain(view, wanted, held, CONFIG)
    steps = constraint_steps(view, targets, held, CONFIG)
    before = wanted
    for step in steps:
        np.testing.assert_array_equal(step.before, before)
        before = step.after
    np.testing.assert_allclose(before, targets.weights, atol=1e-12)
    for i, symbol in enumerate(UNIVERSE.symbols):
        named = tuple(step.rule for step in steps if step.before[i] != step.after[i])
        assert named == tuple(targets.clips.get(symbol, ()))


def test_each_rule_says_what_it_compared() -> None:
    generator = np.random.default_rng(3)
    returns = generator.normal(0, 0.01, (130, ASSETS))
    returns[:, at("QQQ")] = returns[:, at("SPY")] + generator.normal(0, 0.002, 130)
    fresh = np.ones(ASSETS, dtype=np.bool_)
    fresh[at("XLE")] = False
    view = make_view(common_returns=returns, fresh=fresh)
    wanted = vector(0.0, GLD=0.6, SPY=0.35, QQQ=0.25, XLE=0.10)
    held = vector(0.0, XLE=0.08)
    targets = constrain(view, wanted, held, CONFIG)
    steps = {step.rule: step for step in constraint_steps(view, targets, held, CONFIG)}
    assert list(steps) == [NOT_TRADABLE, CAP, PAIR_CAP, CASH_BUFFER]
    assert steps[NOT_TRADABLE].details == {at("XLE"): "no new bar, so no more than the 8.0% held"}
    assert steps[CAP].details == {at("GLD"): "at most 50% of one asset"}
    assert steps[PAIR_CAP].details[at("SPY")].startswith("with QQQ (correlation 0.98)")
    assert steps[PAIR_CAP].details[at("QQQ")].endswith("at most 40%")
    # 0.50 of GLD, 0.40 of SPY and QQQ together, 0.08 of XLE.
    assert steps[CASH_BUFFER].details[at("GLD")] == "all weights together were 98.0%, more than 95.0%"

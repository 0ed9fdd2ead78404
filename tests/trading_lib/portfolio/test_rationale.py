"""An explanation's steps lead to the weights that were decided, and name the same constraints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.domain.decision.sleeves import SleeveRecord, SleeveTarget
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import CAP, CASH_BUFFER, LEVERAGE, NOT_TRADABLE, PAIR_CAP, constrain
from trading_lib.portfolio.rationale import constraint_steps

CONFIG = ConstraintConfig()


def hedged(short: float) -> dict[str, SleeveRecord]:
    """A sleeve of a tenth of the capital that sells ``short`` of net asset value short."""
    target = SleeveTarget(np.zeros(ASSETS), hedges={"BINANCE:BTC-USDT": short / 0.1})
    return {"carry": SleeveRecord(target, np.zeros(ASSETS), 0.1)}


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    together=st.floats(0, 4),
    size=st.floats(0, 1),
    buffer=st.sampled_from([0.0, 0.05, 0.6]),
    leverage=st.sampled_from([0.1, 0.8, 1.0, 1.5]),
    pairs=st.sampled_from([0.05, 0.4, 0.7]),
    short=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_the_steps_end_at_the_target_weights_and_name_its_clips(
    seed: int, together: float, size: float, buffer: float, leverage: float, pairs: float, short: float
) -> None:
    config = ConstraintConfig(cash_buffer=buffer, max_leverage=leverage, pair_correlation=pairs)
    generator = np.random.default_rng(seed)
    returns = generator.normal(0, 0.01, (130, 1)) * together * generator.choice([-1, 0, 1, 1], ASSETS)
    view = make_view(
        common_returns=returns + generator.normal(0, 0.01, (130, ASSETS)), fresh=generator.random(ASSETS) < 0.8
    )
    wanted = generator.random(ASSETS) * size * (generator.random(ASSETS) < 0.6)
    held = generator.random(ASSETS) * 0.2 * (generator.random(ASSETS) < 0.5)
    targets = constrain(view, wanted, held, config, hedged(short))
    steps = constraint_steps(view, targets, held, config)
    before = wanted
    for step in steps:
        np.testing.assert_array_equal(step.before, before)
        before = step.after
    np.testing.assert_array_equal(before, targets.weights)
    for i, symbol in enumerate(UNIVERSE.symbols):
        assert tuple(step.rule for step in steps if i in step.details) == tuple(targets.clips.get(symbol, ()))
        assert all(i in step.details for step in steps if step.before[i] != step.after[i])


def test_what_bounds_the_sum_is_named_as_it_was_decided() -> None:
    view, wanted, nothing = make_view(), vector(0.1), np.zeros(ASSETS)
    for config, short, rule, limit in (
        (ConstraintConfig(), 0.0, CASH_BUFFER, 0.95),
        (ConstraintConfig(max_leverage=0.8), 0.0, LEVERAGE, 0.80),
        (ConstraintConfig(max_leverage=1.0), 0.1, LEVERAGE, 0.90),
        (ConstraintConfig(max_leverage=0.2), 0.3, LEVERAGE, 0.0),
    ):
        targets = constrain(view, wanted, nothing, config, hedged(short))
        (step,) = constraint_steps(view, targets, nothing, config)
        assert (step.rule, targets.clips["SPY"]) == (rule, (rule,))
        assert step.after.sum() == pytest.approx(limit)
        assert step.details[0] == f"all weights together were 150.0%, more than {limit:.1%}"


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

"""Whatever the sleeves want, the constrained weights respect every limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.markets import ASSETS, UNIVERSE, make_view
from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.portfolio import constraints
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import constrain

CONFIG = ConstraintConfig()
DUST = 1e-12


@dataclass(frozen=True)
class Situation:
    view: MarketView
    wanted: FloatArray
    held: FloatArray


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    together, size = draw(st.floats(0, 4)), draw(st.floats(0, 1))
    shared = generator.normal(0, 0.01, (130, 1)) * together
    returns = shared * generator.choice([-1, 0, 1, 1], ASSETS) + generator.normal(0, 0.01, (130, ASSETS))
    fresh = generator.random(ASSETS) < draw(st.sampled_from([1.0, 0.7]))
    wanted = generator.random(ASSETS) * size * (generator.random(ASSETS) < draw(st.floats(0.1, 1)))
    held = generator.random(ASSETS) * 0.2 * (generator.random(ASSETS) < 0.5)
    return Situation(make_view(common_returns=returns, fresh=fresh), wanted, held)


@settings(max_examples=500, deadline=None)
@given(situations())
def test_every_limit_holds_and_every_cut_is_named(case: Situation) -> None:
    found = constrain(case.view, case.wanted, case.held, CONFIG)
    weights = found.weights
    assert (weights >= 0).all()
    assert (weights <= case.wanted + DUST).all()
    assert (weights <= UNIVERSE.max_weights + DUST).all()
    assert weights.sum() <= 0.95 + DUST
    stale = ~case.view.fresh
    assert (weights[stale] <= np.maximum(case.held, 0)[stale] + DUST).all()
    larger = np.maximum.outer(UNIVERSE.max_weights, UNIVERSE.max_weights)
    pairs = (found.correlations > 0.7) & ~np.eye(ASSETS, dtype=bool)
    assert (np.add.outer(weights, weights)[pairs] <= larger[pairs] + DUST).all()
    lowered = {UNIVERSE.symbols[i] for i in np.flatnonzero(weights < case.wanted - DUST)}
    assert lowered <= found.clips.keys()
    assert all(found.clips.values())


@settings(max_examples=500, deadline=None)
@given(situations())
def test_constraining_twice_changes_nothing(case: Situation) -> None:
    once = constrain(case.view, case.wanted, case.held, CONFIG).weights
    twice = constrain(case.view, once, case.held, CONFIG).weights
    np.testing.assert_allclose(twice, once, atol=DUST, rtol=0)


@settings(max_examples=50, deadline=None)
@given(situations())
def test_compiled_and_uncompiled_agree(case: Situation) -> None:
    correlations = constrain(case.view, case.wanted, case.held, CONFIG).correlations
    arguments = (case.wanted, case.held, case.view.fresh, UNIVERSE.max_weights, correlations, 0.7, 0.95)
    for compiled, plain in zip(
        constraints.clip_weights(*arguments), python_version(constraints.clip_weights)(*arguments), strict=True
    ):
        np.testing.assert_allclose(compiled, plain, rtol=1e-12)

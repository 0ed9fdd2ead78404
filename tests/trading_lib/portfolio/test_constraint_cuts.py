"""The cuts of the constraints add up to what the constraints left, and leave what `constrain` decides."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.portfolio.constraints import clip_weights, constraint_cuts


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 1.2))
def test_the_cuts_add_up_to_what_the_decision_took(seed: int, limit: float) -> None:
    generator = np.random.default_rng(seed)
    sessions, assets = 3, 5
    wanted = generator.random((sessions, assets)) * generator.choice([0.0, 0.1, 1.0], (sessions, assets))
    held = generator.random((sessions, assets)) * 0.3
    fresh, caps = generator.random((sessions, assets)) > 0.2, generator.random(assets) * 0.6
    correlations = generator.uniform(-1.0, 1.0, (sessions, assets, assets))
    weights, cuts = constraint_cuts(wanted, held, fresh, caps, correlations, 0.3, limit)
    for t in range(sessions):
        decided, clipped, _ = clip_weights(wanted[t], held[t], fresh[t], caps, correlations[t], 0.3, limit)
        np.testing.assert_allclose(weights[t], decided, rtol=1e-12, atol=0)
        assert (cuts[t] >= 0).all()
        for bit in range(4):
            marked = (clipped >> bit & 1).astype(bool)
            assert ((cuts[t, bit] > 0) <= marked).all()
    np.testing.assert_allclose(wanted - cuts.sum(axis=1), weights, atol=1e-12)


def test_each_limit_takes_its_own_part() -> None:
    wanted, held = np.array([[1.0, 0.3, 0.3]]), np.array([[0.0, 0.1, 0.0]])
    correlations = np.zeros((1, 3, 3))
    correlations[0, 2, 0] = correlations[0, 0, 2] = 0.9
    fresh, caps = np.array([[True, False, True]]), np.array([0.4, 0.5, 0.4])
    weights, cuts = constraint_cuts(wanted, held, fresh, caps, correlations, 0.7, 0.45)
    assert cuts[0, 0].tolist() == [0.0, 0.3 - 0.1, 0.0]  # no new bar, so no more than is held
    assert cuts[0, 1].tolist() == [0.6, 0.0, 0.0]  # the cap of one asset
    np.testing.assert_allclose(cuts[0, 2], [0.4 * 3 / 7, 0.0, 0.3 * 3 / 7])  # 0.4 for the pair instead of 0.7
    np.testing.assert_allclose(cuts[0, 3].sum(), 0.5 - 0.45)
    np.testing.assert_allclose(weights.sum(), 0.45)

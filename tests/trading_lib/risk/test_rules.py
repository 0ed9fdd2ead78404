"""The kernels of risk control: compiled and plain agree, and ceilings only ever lower what is held."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trading_lib.domain.decision.risk import UNLIMITED
from trading_lib.domain.kernels import python_version
from trading_lib.risk.levels import drawdown_kernels
from trading_lib.risk.levels.drawdown_kernels import EXIT, NO_STOP, REDUCE, loss_from_cost, stop_of
from trading_lib.risk.limits import buy_restrictions as limits
from trading_lib.risk.limits import position_limit_kernels
from trading_lib.risk.limits.position_limit_kernels import EARLIER, LEVEL_ENTRY, level_ceilings, stop_ceiling

BOUNDS = np.array([0.05, 0.08, 0.12, 0.15])
UNIT = 1_000_000
FLAGS = arrays.arrays(np.bool_, 4)


@settings(deadline=None)
@given(
    st.integers(0, 4),
    st.floats(80_000, 120_000),
    st.floats(70_000, 120_000),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from([0.1, 0.2, np.nan]),
)
def test_levels_compiled_and_plain_agree(
    level: int, reference: float, nav: float, calm: int, approved: bool, volatility: float
) -> None:
    arguments = (level, max(reference, nav), reference, calm, approved, nav, volatility, BOUNDS, 0.005, 0.15, 5)
    assert drawdown_kernels.next_level(*arguments) == python_version(drawdown_kernels.next_level)(*arguments)
    drawdown = 1.0 - nav / max(reference, nav)
    assert drawdown_kernels.triggered_by(drawdown, BOUNDS) == python_version(drawdown_kernels.triggered_by)(
        drawdown, BOUNDS
    )
    for one in (drawdown, np.nan):
        arguments = (one, 1.0 - one, 0.5, 0.8)
        assert drawdown_kernels.floor_of(*arguments) == python_version(drawdown_kernels.floor_of)(*arguments)


@settings(deadline=None)
@given(st.integers(1, 10**9), st.sampled_from([0.0, 55.5, 120.0]), st.booleans())
def test_stops_compiled_and_plain_agree(mark: int, cost: float, halved: bool) -> None:
    loss = loss_from_cost(mark, cost)
    assert loss == python_version(loss_from_cost)(mark, cost)
    assert stop_of(loss, 0.12, 0.18, halved) == python_version(stop_of)(loss, 0.12, 0.18, halved)


def test_a_stop_fires_above_its_loss_and_halves_once() -> None:
    assert stop_of(loss_from_cost(82 * UNIT, 100.0), 0.12, 0.18, True) == NO_STOP  # exactly 18 %, halved before
    assert stop_of(loss_from_cost(82 * UNIT, 100.0), 0.12, 0.18, False) == REDUCE
    assert stop_of(loss_from_cost(82 * UNIT - 1, 100.0), 0.12, 0.18, False) == EXIT
    assert stop_of(loss_from_cost(88 * UNIT, 100.0), 0.12, 0.18, False) == NO_STOP
    assert stop_of(0.5, np.inf, 0.6, False) == NO_STOP
    assert stop_ceiling(11 * UNIT, REDUCE, UNIT) == 5 * UNIT
    assert stop_ceiling(11 * UNIT, EXIT, UNIT) == 0


@settings(deadline=None)
@given(
    earlier=arrays.arrays(np.int64, 4, elements=st.sampled_from([UNLIMITED, 0, 3 * UNIT, 50 * UNIT])),
    quantity=arrays.arrays(np.int64, 4, elements=st.sampled_from([0, UNIT, 7 * UNIT, 20 * UNIT])),
    cooling=FLAGS,
    level=st.integers(0, 4),
    entered=st.booleans(),
    crypto=FLAGS,
    havens=FLAGS,
)
def test_ceilings_only_lower_what_is_held(
    earlier: np.ndarray, quantity: np.ndarray, cooling: np.ndarray, level: int, entered: bool, crypto: np.ndarray,
    havens: np.ndarray,
) -> None:  # fmt: skip
    entered = entered and level >= 2
    arguments = (earlier, quantity, cooling, level, entered, crypto, havens, np.full(4, UNIT), 750_000)
    ceilings, causes = level_ceilings(*arguments)
    # The plain version calls the compiled one for what entering a level leaves.
    for one, other in zip((ceilings, causes), python_version(level_ceilings)(*arguments), strict=True):
        np.testing.assert_array_equal(one, other)
    limited = ceilings != UNLIMITED
    np.testing.assert_array_equal(limited, causes != position_limit_kernels.NOTHING)
    assert (ceilings[limited] < quantity[limited]).all()
    assert level == 4 or entered or not (causes == LEVEL_ENTRY).any()
    assert (earlier[causes == EARLIER] == ceilings[causes == EARLIER]).all()
    if level == 4:
        assert (ceilings[quantity > 0] == 0).all()


@settings(deadline=None)
@given(FLAGS, FLAGS, st.booleans(), st.integers(0, 4), arrays.arrays(np.float64, 4, elements=st.floats(0, 1)), FLAGS)
def test_what_forbids_buying_compiled_and_plain_agree(
    crypto: np.ndarray, havens: np.ndarray, approved: bool, level: int, confidence: np.ndarray, fresh: np.ndarray
) -> None:
    arguments = (level, approved, not approved, 0.4, confidence, crypto, havens, havens, crypto, fresh)
    blocks = limits.forbidden(*arguments)
    np.testing.assert_array_equal(blocks, python_version(limits.forbidden)(*arguments))
    held = np.full(4, 0.1)
    found = limits.allowed_weights(confidence, held, blocks, 0.5, 0.9, 0.05)
    plain = python_version(limits.allowed_weights)(confidence, held, blocks, 0.5, 0.9, 0.05)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (found[0] <= confidence).all()
    assert (found[0][blocks != 0] <= held[blocks != 0]).all()

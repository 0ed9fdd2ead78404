"""Whose holdings are these, and what do the sleeves want together?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.builders.markets import ASSETS, vector
from trading_lib.domain.kernels import python_version
from trading_lib.portfolio.sleeves import attribute, blend, drift

WEIGHT = st.floats(0, 0.5, allow_nan=False)
TABLE = arrays.arrays(np.float64, (3, 4), elements=WEIGHT)
HALVES = np.array([0.5, 0.5])


def test_sleeves_are_summed_by_their_budgets() -> None:
    sleeves = {"trend": vector(0.10), "rotation": vector(0.0, GLD=0.4)}
    found = blend(sleeves, {"trend": 0.5, "rotation": 0.25}, ASSETS)
    np.testing.assert_allclose(found, vector(0.05, GLD=0.15))


def test_weights_drift_with_prices_against_the_sleeves_own_cash() -> None:
    """60 % that gains 10 % of a sleeve with 40 % cash is 0.66 / 1.06; two sessions compound."""
    one = drift(np.array([[0.6, 0.0]]), np.array([[0.10, np.nan]]))
    np.testing.assert_allclose(one, [[0.66 / 1.06, 0.0]])
    two = drift(np.array([[0.5, 0.5]]), np.array([[0.10, 0.0], [0.10, -0.5]]))
    np.testing.assert_allclose(two, [[0.605 / 0.855, 0.25 / 0.855]])


def test_a_sleeve_alone_owns_everything() -> None:
    held = np.array([0.1, 0.3])
    np.testing.assert_array_equal(attribute(held, np.zeros((1, 2)), np.ones((1, 2)), np.array([0.5]))[0], held)


def test_what_was_bought_belongs_to_the_sleeve_that_asked() -> None:
    """The first owned 0.10 and wants no more; the second asked for 0.20, and the day's limit let 0.05 through."""
    before, wanted = np.array([[0.10], [0.0]]), np.array([[0.10], [0.20]])
    np.testing.assert_allclose(attribute(np.array([0.15]), before, wanted, HALVES), [[0.10], [0.05]])


def test_what_was_sold_is_taken_from_the_sleeve_that_gave_it_up_and_then_from_all() -> None:
    before, wanted = np.array([[0.10], [0.20]]), np.array([[0.10], [0.15]])
    np.testing.assert_allclose(attribute(np.array([0.25]), before, wanted, HALVES), [[0.10], [0.15]])
    np.testing.assert_allclose(attribute(np.array([0.125]), before, wanted, HALVES), [[0.05], [0.075]])


def test_a_holding_nobody_asked_for_is_split_by_budget() -> None:
    nothing = np.zeros((2, 1))
    found = attribute(np.array([0.10]), nothing, nothing, np.array([0.6, 0.2]))
    np.testing.assert_allclose(found, [[0.075], [0.025]])


@given(held=arrays.arrays(np.float64, 4, elements=WEIGHT), before=TABLE, wanted=TABLE)
def test_the_parts_add_up_to_the_holding_and_none_is_negative(
    held: np.ndarray, before: np.ndarray, wanted: np.ndarray
) -> None:
    budgets = np.array([0.5, 0.3, 0.2])
    found = attribute(held, before, wanted, budgets)
    np.testing.assert_allclose(python_version(attribute)(held, before, wanted, budgets), found, rtol=1e-12, atol=1e-15)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=0), held, atol=1e-12)


@given(
    weights=arrays.arrays(np.float64, (2, 4), elements=WEIGHT),
    returns=arrays.arrays(np.float64, (3, 4), elements=st.sampled_from([-1.0, -0.2, 0.0, 0.1, np.nan])),
)
def test_compiled_and_plain_agree(weights: np.ndarray, returns: np.ndarray) -> None:
    np.testing.assert_allclose(python_version(drift)(weights, returns), drift(weights, returns), rtol=1e-12)

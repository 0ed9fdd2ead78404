"""Portfolio constraints, example by example; tests/properties has them as invariants."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders.markets import ASSETS, at, make_view, vector
from trading_lib.domain.kernels import python_version
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import CAP, CASH_BUFFER, NOT_TRADABLE, PAIR_CAP, constrain, valid_weights

CONFIG = ConstraintConfig()
NOTHING = np.zeros(ASSETS)


def correlated(*symbols: str) -> np.ndarray:
    """Common returns in which these symbols move as one and every other asset alone."""
    generator = np.random.default_rng(7)
    returns = generator.normal(0, 0.01, (130, ASSETS))
    for symbol in symbols[1:]:
        returns[:, at(symbol)] = returns[:, at(symbols[0])] + generator.normal(0, 0.002, 130)
    return returns


def test_weights_within_every_limit_pass_unchanged() -> None:
    wanted = vector(0.02, GLD=0.30)
    found = constrain(make_view(), wanted, NOTHING, CONFIG)
    np.testing.assert_array_equal(found.weights, wanted)
    assert found.clips == {}


def test_an_asset_is_cut_to_its_cap() -> None:
    found = constrain(make_view(), vector(0.0, GLD=0.60, SPY=0.40), NOTHING, CONFIG)
    assert found.weights[at("GLD")] == pytest.approx(0.50)
    assert found.weights[at("SPY")] == pytest.approx(0.40)
    assert found.clips == {"GLD": (CAP,)}
    assert found.wanted[at("GLD")] == 0.60


def test_a_correlated_pair_shares_the_larger_cap() -> None:
    view = make_view(common_returns=correlated("SPY", "QQQ"))
    found = constrain(view, vector(0.0, SPY=0.30, QQQ=0.20, GLD=0.1), NOTHING, CONFIG)
    assert found.correlations[at("SPY"), at("QQQ")] > 0.7
    assert found.weights[at("SPY")] == pytest.approx(0.40 * 0.6)
    assert found.weights[at("QQQ")] == pytest.approx(0.40 * 0.4)
    assert found.weights[at("GLD")] == 0.1
    assert found.clips == {"SPY": (PAIR_CAP,), "QQQ": (PAIR_CAP,)}


def test_an_uncorrelated_pair_may_use_both_caps() -> None:
    view = make_view(common_returns=correlated())
    found = constrain(view, vector(0.0, SPY=0.30, QQQ=0.20), NOTHING, CONFIG)
    assert found.weights.sum() == pytest.approx(0.50)


def test_five_percent_stay_in_cash() -> None:
    found = constrain(make_view(), vector(0.0, GLD=0.50, SPY=0.40, QQQ=0.30), NOTHING, CONFIG)
    assert found.weights.sum() == pytest.approx(0.95)
    assert found.weights[at("GLD")] == pytest.approx(0.50 * 0.95 / 1.2)
    assert found.clips == dict.fromkeys(("GLD", "SPY", "QQQ"), (CASH_BUFFER,))


def test_the_leverage_limit_binds_where_it_is_the_lower_one() -> None:
    found = constrain(make_view(), vector(0.0, GLD=0.50, SPY=0.40), NOTHING, ConstraintConfig(max_leverage=0.5))
    assert found.weights.sum() == pytest.approx(0.5)


def test_an_asset_without_a_fresh_bar_may_not_grow() -> None:
    fresh = np.ones(ASSETS, dtype=np.bool_)
    fresh[[at("SPY"), at("TLT"), at("QQQ")]] = False
    found = constrain(
        make_view(fresh=fresh), vector(0.0, SPY=0.2, TLT=0.2, QQQ=0.05), vector(0.0, SPY=0.1, QQQ=0.10), CONFIG
    )
    np.testing.assert_array_equal(found.weights, vector(0.0, SPY=0.1, QQQ=0.05))
    assert found.clips == {"SPY": (NOT_TRADABLE,), "TLT": (NOT_TRADABLE,)}


@pytest.mark.parametrize("fault", [np.nan, np.inf, -0.01])
def test_impossible_weights_are_an_error(fault: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        constrain(make_view(), vector(0.05, SPY=fault), NOTHING, CONFIG)


@pytest.mark.parametrize(
    ("fault", "valid"), [(0.1, True), (0.0, True), (np.nan, False), (-0.1, False), (np.inf, False)]
)
def test_weights_are_valid_when_finite_and_not_negative(fault: float, valid: bool) -> None:
    weights = vector(0.05, SPY=fault)
    assert valid_weights(weights) == python_version(valid_weights)(weights) == valid

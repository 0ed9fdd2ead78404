"""Risk control by hand: numbers worked out on paper from docs/specification.md#risk-control."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.decisions import make_portfolio, make_regime, make_signals, make_state, make_targets
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.decision import held_weights
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.market.prices import FloatArray
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.generate import generate_orders
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import constrain
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig


def assess(portfolio: Portfolio, state: RiskState, targets: FloatArray, level_signal: int = 1) -> RiskAssessment:
    held = held_weights(UNIVERSE, portfolio)
    view, signals = make_view(), make_signals(level_signal, 0.9)
    return assess_risk(view, make_regime(), signals, make_targets(targets), held, portfolio, state, RiskConfig())


def test_the_way_back_after_a_liquidation() -> None:
    """$100,000 fall to $84,000, which is 16 %: level 4. Everything is sold, so net asset value stays at $84,000.

    After 5, 10, 15 and 20 calm sessions the level is 3, 2, 1 and 0, and drawdown is set 0.5 points under the bound of
    the level below: 14.5, 11.5, 7.5 and 4.5 %. So the reference peaks are 84,000 / 0.855, / 0.885, / 0.925, / 0.955.
    The ladder's weeks begin with level 1: a target of 20 % may be bought to 5, 10, 15 and 20 %.
    """
    cash, wish = make_portfolio(84_000), vector(0.0, SPY=0.20)
    fallen = assess(make_portfolio(84_000), make_state(100_000.0), wish)
    assert (fallen.level, fallen.drawdown) == (4, pytest.approx(0.16))
    state, levels, peaks, sizes = fallen.next_state, [], [], []
    for _ in range(30):
        found = assess(cash, state, wish)
        state = found.next_state
        levels.append(found.level)
        peaks.append(round(state.reference_peak, 2))
        sizes.append(round(float(found.weights[at("SPY")]), 4))
    assert levels == [4] * 4 + [3] * 5 + [2] * 5 + [1] * 5 + [0] * 11
    assert [peaks[i] for i in (3, 4, 9, 14, 19)] == [100_000.0, 98_245.61, 94_915.25, 90_810.81, 87_958.12]
    assert sizes == [0.0] * 14 + [0.05] * 4 + [0.10] * 5 + [0.15] * 5 + [0.20] * 2
    assert state.peak == 100_000.0


@pytest.mark.parametrize(
    ("nav", "level", "sold"),
    [
        # 5 %: ALERT, INCREASE_CONFIDENCE_THRESHOLD, BLOCK_BTC_NEW. Nothing is sold.
        (95_000, 1, {}),
        # 8 %: REDUCE_25%, CLOSE_BTC, SELL_ONLY. 75 % of 101 shares are 75.75, so 75 stay and 26 go.
        (92_000, 2, {"SPY": "26", "GLD": "50", "TLT": "10", "BTC-USD": "0.5"}),
        # 12 %: REDUCE_50%, SAFE_HAVEN_ONLY. Half of 101 are 50.5, so 50 stay; the havens are spared.
        (88_000, 3, {"SPY": "51", "BTC-USD": "0.5"}),
        # 15 %: EMERGENCY_LIQUIDATION.
        (85_000, 4, {"SPY": "101", "GLD": "200", "TLT": "40", "BTC-USD": "0.5"}),
    ],
)
def test_what_each_level_sells(nav: int, level: int, sold: dict[str, str]) -> None:
    """The holdings are worth $39,100 ($10,100 + $20,000 + $4,000 + $5,000), the rest is cash; the peak is $100,000."""
    holdings = {
        "SPY": ("101", "100", "100"),
        "GLD": ("200", "100", "100"),
        "TLT": ("40", "100", "100"),
        "BTC_USD": ("0.5", "10000", "10000"),
    }
    portfolio = make_portfolio(nav - 39_100, **holdings)
    assert portfolio.nav == nav
    close = vector(100.0, BTC_USD=10_000.0)
    held = held_weights(UNIVERSE, portfolio)
    targets = held + vector(0.0, SPY=0.10, TIP=0.10, BTC_USD=0.10)
    found = assess(portfolio, make_state(100_000.0), targets)
    assert found.level == level
    batch = generate_orders(make_view(close=close), make_signals(1), found, held, portfolio, "book", OrderConfig())
    assert {o.symbol: o.quantity for o in batch.orders if o.side == "SELL"} == {
        symbol: Decimal(quantity) for symbol, quantity in sold.items()
    }
    # Only level 1 still buys, and no Bitcoin; level 3 buys havens once somebody has approved it.
    assert {o.symbol for o in batch.orders if o.side == "BUY"} == ({"SPY", "TIP"} if level == 1 else set())


def patterned(**assets: tuple[int, int]) -> FloatArray:
    """Returns of each asset as a * x + b * z of two orthogonal series of one size; the others' are unknown."""
    x = np.tile([1.0, -1.0, 1.0, -1.0], 33)[:130]
    z = np.tile([1.0, 1.0, -1.0, -1.0], 33)[:130]
    returns = np.full((130, ASSETS), np.nan)
    for symbol, (a, b) in assets.items():
        returns[:, at(symbol)] = 1e-3 * (a * x + b * z)
    return returns


@pytest.mark.parametrize(
    ("returns", "pairs", "floor"),
    [
        # 3/5, 4/5 and 0: the average is 0.467.
        (patterned(SPY=(1, 0), QQQ=(3, 4), EFA=(0, 1)), (0.6, 0.8, 0.0), 0),
        # 4/5 twice, and (16 - 9) / 25: the average is 0.627, above 0.5.
        (patterned(SPY=(1, 0), QQQ=(4, 3), EFA=(4, -3)), (0.8, 0.28, 0.8), 1),
        # 12/13 twice, and (144 - 25) / 169 = 0.704: high on average, but one pair is not above 0.8.
        (patterned(SPY=(1, 0), QQQ=(12, 5), EFA=(12, -5)), (12 / 13, 119 / 169, 12 / 13), 1),
        # 24/25 twice, and (576 - 49) / 625 = 0.843: every pair is above 0.8.
        (patterned(SPY=(1, 0), QQQ=(24, 7), EFA=(24, -7)), (0.96, 0.8432, 0.96), 2),
    ],
)
def test_correlation_floors(returns: FloatArray, pairs: tuple[float, float, float], floor: int) -> None:
    # Sixty newest sessions are fifteen whole patterns, so both series have mean 0 in them.
    portfolio = make_portfolio(100_000)
    view = make_view(common_returns=returns, common_lag=np.zeros(ASSETS, dtype=np.int64))
    targets = constrain(view, vector(0.0, SPY=0.4, QQQ=0.3, EFA=0.2), np.zeros(ASSETS), ConstraintConfig())
    i, j, k = at("SPY"), at("QQQ"), at("EFA")
    found_pairs = [targets.correlations[a, b] for a, b in ((i, j), (j, k), (i, k))]
    np.testing.assert_allclose(found_pairs, pairs, atol=1e-12)
    held = np.zeros(ASSETS)
    found = assess_risk(view, make_regime(), make_signals(1), targets, held, portfolio, make_state(), RiskConfig())
    assert (found.floor, found.effective_level) == (floor, floor)
    # SPY and QQQ above 0.7: together at most the larger cap, 40 % of SPY.
    if pairs[0] > 0.7:
        both = targets.weights[i] + targets.weights[j]
        assert both <= 0.40 + 1e-12
        assert "pair_correlation" in targets.clips["SPY"]


def test_a_pair_above_the_limit_shares_the_larger_cap() -> None:
    """SPY 40 % and QQQ 30 % want 70 % together and get 40 %: each times 4/7, 22.86 % and 17.14 %."""
    returns = patterned(SPY=(1, 0), QQQ=(4, 3))
    view = make_view(common_returns=returns, common_lag=np.zeros(ASSETS, dtype=np.int64))
    found = constrain(view, vector(0.0, SPY=0.4, QQQ=0.3), np.zeros(ASSETS), ConstraintConfig())
    assert found.weights[at("SPY")] == pytest.approx(0.16 / 0.7)
    assert found.weights[at("QQQ")] == pytest.approx(0.12 / 0.7)


def test_stops_from_average_cost() -> None:
    """Bought at $100: at $87.99 the loss is 12.01 %, half goes; at $81.99 it is 18.01 %, the rest goes."""
    halved = assess(make_portfolio(90_000, SPY=("101", "100", "87.99")), make_state(98_886.99), vector(0.0, SPY=0.10))
    assert halved.ceilings[at("SPY")] == 50
    rest = make_portfolio(94_000, SPY=("50", "100", "81.99"))
    gone = assess(rest, replace(halved.next_state, reference_peak=float(rest.nav)), vector(0.0, SPY=0.10))
    assert gone.ceilings[at("SPY")] == 0
    coin = assess(make_portfolio(90_000, BTC_USD=("0.5", "10000", "8500")), make_state(94_250.0), np.zeros(ASSETS))
    assert np.isinf(coin.ceilings[at("BTC-USD")]), "Bitcoin has its exit stop only"

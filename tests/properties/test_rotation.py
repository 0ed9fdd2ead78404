"""Whatever a month brings, rotation answers with usable weights and stays within its bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_regime, make_signals
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view
from trading_lib.domain.decision.sleeves import SleeveView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.portfolio.sleeves import drift
from trading_lib.strategies.config import MomentumConfig, RotationConfig
from trading_lib.strategies.rotation.momentum import rank_by_momentum
from trading_lib.strategies.rotation.rotation import CrossSectionalMomentum, MonthlyMomentum, Rotation

CONFIG = RotationConfig()
DUST = 1e-12
ROWS = 130


@dataclass(frozen=True)
class Year:
    """Some months of a market full of holes, and the strategy that lives through them."""

    strategy: MonthlyMomentum
    start: FloatArray
    months: tuple[MarketView, ...]
    growth: tuple[FloatArray, ...]


@st.composite
def years(draw: st.DrawFn) -> Year:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    missing, gaps, down = draw(st.floats(0, 1)), draw(st.sampled_from([0.0, 0.05, 0.6])), draw(st.floats(0, 1))
    flat, twins = draw(st.booleans()), draw(st.sampled_from([0.0, 1.0, -1.0]))
    start = generator.dirichlet(np.ones(ASSETS)) * draw(st.sampled_from([0.0, 0.7, 1.0]))
    months, growth = [], []
    for _ in range(draw(st.integers(1, 4))):
        returns = generator.normal(0, 0.01, (ROWS, ASSETS)) + generator.normal(0, 0.01, (ROWS, 1))
        if twins:
            returns[:, ::2] = twins * returns[:, 1:2]
        if flat:
            returns[:, generator.integers(ASSETS)] = 0.0
        returns[generator.random(returns.shape) < gaps] = np.nan
        momentum = generator.normal(0.05, 0.2, ASSETS).round(2)
        momentum[generator.random(ASSETS) < missing] = np.nan
        average = np.where(generator.random(ASSETS) < down, 110.0, 90.0)
        close = np.where(generator.random(ASSETS) < 0.1, np.nan, 100.0)
        momentum[np.isnan(close)] = np.nan
        months.append(
            make_view(
                {"Momentum_12_1": momentum, "SMA_200": average},
                common_returns=returns,
                close=close,
                month_end=bool(generator.random() < 0.8),
            )
        )
        growth.append(generator.normal(0, 0.05, ASSETS))
    strategy = draw(st.sampled_from([Rotation(CONFIG), CrossSectionalMomentum(MomentumConfig())]))
    return Year(strategy, start, tuple(months), tuple(growth))


@settings(max_examples=500, deadline=None)
@given(years())
def test_every_month_is_usable_bounded_and_follows_the_rules(year: Year) -> None:
    wanted, memory = year.start, {}
    for view, growth in zip(year.months, year.growth, strict=True):
        found = year.strategy.target(view, SleeveView(wanted, wanted, memory, make_regime(), make_signals()))
        weights = found.weights
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()
        assert weights.sum() <= 1 + DUST
        traded = np.abs(weights - wanted)
        assert traded.sum() / 2 <= CONFIG.monthly_turnover + DUST
        assert traded @ UNIVERSE.cost_rates <= CONFIG.monthly_cost + DUST
        if not view.month_end:
            np.testing.assert_array_equal(weights, wanted)
        else:
            _check_rules(view, wanted, weights)
        words = found.rationale()
        assert {UNIVERSE.symbols[i] for i in np.flatnonzero(weights)} <= words.keys()
        assert all(text and "\n" not in text and "nan" not in text for text in words.values())
        memory = dict(found.memory)
        wanted = drift(weights[None, :], growth[None, :])[0]


def _check_rules(view: MarketView, before: FloatArray, after: FloatArray) -> None:
    groups = rank_by_momentum(view, CONFIG)
    assert groups.defensive == (2 * groups.falling.sum() > groups.top.sum())
    bought = after > before + DUST
    if groups.defensive:
        assert set(np.flatnonzero(bought)) <= {at("GLD"), at("TLT")}
    else:
        assert (bought <= groups.selected).all()
        assert not (bought & (view.total_return_close <= view.factors["SMA_200"])).any()


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_assets_does_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    # Assets with the same costs may change places; gold, bonds and Bitcoin mean something by name.
    movable = np.array([i for i in range(ASSETS) if UNIVERSE.symbols[i] not in {"GLD", "TLT", "BTC-USD"}])
    order = np.arange(ASSETS)
    order[movable] = generator.permutation(movable)
    returns = generator.normal(0, 0.01, (ROWS, ASSETS)) * generator.uniform(0.3, 2, ASSETS)
    momentum, average = generator.normal(0.1, 0.2, ASSETS), generator.choice([90.0, 110.0], ASSETS, p=[0.8, 0.2])
    wanted = generator.dirichlet(np.ones(ASSETS)) * 0.8
    found = []
    for places in (np.arange(ASSETS), order):
        view = make_view(
            {"Momentum_12_1": momentum[places], "SMA_200": average[places]},
            common_returns=returns[:, places],
            month_end=True,
        )
        past = SleeveView(wanted[places], wanted[places], {}, make_regime(), make_signals())
        found.append(Rotation(CONFIG).target(view, past).weights)
    np.testing.assert_allclose(found[1], found[0][order], atol=1e-8)

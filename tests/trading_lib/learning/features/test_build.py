"""Features of a whole panel: what they are, and that none depends on the future or on the order of assets."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.markets import CALENDAR, UNIVERSE, at, market_of, random_bars
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import Bars, FloatArray, MacroSeries
from trading_lib.factors.calculator import FACTOR_NAMES
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.features.build import FEATURE_KINDS, FEATURE_NAMES, build_features
from trading_lib.learning.features.context import MarketContext
from trading_lib.learning.features.macro import MACRO_NAMES
from trading_lib.learning.labels import known_prices
from trading_lib.workflows.data.market import Market, build_market

FIRST, LAST = date(2021, 1, 4), date(2022, 6, 30)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return random_bars(FIRST, LAST, seed=11)


@pytest.fixture(scope="module")
def market(bars: Bars) -> Market:
    return market_of(bars)


@pytest.fixture(scope="module")
def features(market: Market) -> FeaturePanel:
    return build_features(market.panel, market.factors, context_of(market))


def context_of(market: Market, rows: int | None = None) -> MarketContext:
    """Series and columns that vary, of the first ``rows`` sessions."""
    generator = np.random.default_rng(2)
    sessions, assets = 600, len(market.panel.symbols)
    length = len(market.panel.sessions) if rows is None else rows
    macro = {name: generator.normal(2, 1, sessions)[:length] for name in ("DGS10", "T10Y2Y", "T10YIE")}
    columns = {
        name: generator.normal(size=(sessions, assets))[:length] for name in ("net_long_percentile", "net_long_change")
    }
    return MarketContext(macro, columns)


def of(features: FeaturePanel, name: str) -> FloatArray:
    values: FloatArray = features.values[features.names.index(name)]
    return values


def test_there_are_27_features_with_a_kind_each(features: FeaturePanel) -> None:
    assert features.names == FEATURE_NAMES
    assert len(set(features.names)) == len(features.kinds) == 27
    assert set(features.kinds) == {"price", "macro", "cross_section", "positioning"}
    assert features.absent == ("cash_rate",)
    known = np.isfinite(features.values[:, -1]).any(axis=1)
    np.testing.assert_array_equal(known, np.array(features.names) != "cash_rate")


def test_names_and_order_depend_on_no_data(market: Market, features: FeaturePanel) -> None:
    bare = build_features(market.panel, market.factors)
    assert bare.names == features.names
    assert bare.kinds == features.kinds
    assert {"yield_10y", "slope_10y_2y", "breakeven_10y", "cot_percentile_156", "cot_change_13"} <= set(bare.absent)
    for name in bare.absent:
        assert np.isnan(of(bare, name)).all()
    np.testing.assert_array_equal(of(bare, "momentum_63"), of(features, "momentum_63"))


def test_reports_too_few_for_a_feature_leave_it_absent(market: Market) -> None:
    shape = market.panel.fresh.shape
    context = MarketContext(
        positioning={"net_long_percentile": np.full(shape, np.nan), "net_long_change": np.ones(shape)}
    )
    absent = build_features(market.panel, market.factors, context).absent
    assert "cot_percentile_156" in absent
    assert "cot_change_13" not in absent


def test_returns_are_total_returns_over_exchange_sessions(market: Market, features: FeaturePanel) -> None:
    price, row = known_prices(market.panel), 300
    fresh = market.panel.fresh[row]
    for name, sessions in (("momentum_21", 21), ("momentum_252", 252)):
        expected = price[row] / price[row - sessions] - 1.0
        np.testing.assert_array_equal(of(features, name)[row, fresh], expected[fresh])
    skipped = price[row - 21] / price[row - 252] - 1.0
    np.testing.assert_array_equal(of(features, "momentum_12_1")[row, fresh], skipped[fresh])


def test_price_features_are_read_from_the_factors(market: Market, features: FeaturePanel) -> None:
    factors, spy, row = market.factors, at("SPY"), 320
    close = factors.total_return_close[row, spy]
    value = {name: factors.values[FACTOR_NAMES.index(name), row, spy] for name in FACTOR_NAMES}
    expected = {
        "volatility_60": value["Volatility_60"],
        "distance_sma_200": close / value["SMA_200"] - 1.0,
        "rsi_14": value["RSI_14"] / 100.0,
        "atr_share_14": value["ATR_14"] / close,
    }
    for name, number in expected.items():
        assert of(features, name)[row, spy] == number


def test_a_drawdown_is_from_the_highest_of_252_sessions(market: Market, features: FeaturePanel) -> None:
    price, row, tlt = known_prices(market.panel), 340, at("TLT")
    expected = price[row, tlt] / price[row - 251 : row + 1, tlt].max() - 1.0
    assert of(features, "drawdown_252")[row, tlt] == expected
    assert np.isnan(of(features, "drawdown_252")[250]).all()


def test_macro_features_are_the_same_for_all_assets(market: Market, features: FeaturePanel) -> None:
    context = context_of(market)
    for name in MACRO_NAMES:
        values = of(features, name)
        np.testing.assert_array_equal(values, np.repeat(values[:, :1], values.shape[1], axis=1))
    np.testing.assert_array_equal(of(features, "slope_10y_2y")[:, 0], context.macro["T10Y2Y"] / 100.0)
    index = market.panel.volatility_index
    assert of(features, "vix_change_21")[100, 0] == np.log(index[100] / index[79])


def test_the_slope_comes_from_both_yields_where_it_has_no_series(market: Market) -> None:
    rows = len(market.panel.sessions)
    context = MarketContext({"DGS10": np.full(rows, 4.0), "DGS2": np.full(rows, 1.5)})
    assert of(build_features(market.panel, market.factors, context), "slope_10y_2y")[5, 0] == pytest.approx(0.025)


def test_standing_in_the_cross_section_is_within_the_session(features: FeaturePanel) -> None:
    row = 330
    momentum, rank = of(features, "momentum_12_1")[row], of(features, "momentum_12_1_rank")[row]
    known = np.isfinite(momentum)
    assert rank[known][np.argmax(momentum[known])] == 0.5
    assert rank[known][np.argmin(momentum[known])] == -0.5
    score = of(features, "momentum_63_score")[row]
    known = np.isfinite(score)
    assert score[known].mean() == pytest.approx(0.0, abs=1e-12)
    assert score[known].std(ddof=1) == pytest.approx(1.0)


def test_beta_and_correlation_are_with_spy_over_common_sessions(market: Market, features: FeaturePanel) -> None:
    returns, row, spy = market.panel.common_return, 333, at("SPY")
    for symbol, lag in (("QQQ", 0), ("BTC-USD", 1)):
        # Bitcoin's column of a session holds the day before, so SPY's is taken from there.
        pairs = np.column_stack([returns[lag:, at(symbol)], returns[: len(returns) - lag, spy]])[: row + 1 - lag]
        sample = pairs[np.isfinite(pairs).all(axis=1)][-60:]
        own, index = sample.T
        beta = np.cov(own, index)[0, 1] / np.var(index, ddof=1)
        assert of(features, "beta_60")[row, at(symbol)] == pytest.approx(beta, rel=1e-9)
        correlation = np.corrcoef(own, index)[0, 1]
        assert of(features, "correlation_60")[row, at(symbol)] == pytest.approx(correlation, rel=1e-9)
    assert of(features, "correlation_60")[row, spy] == pytest.approx(1.0)


def test_without_spy_beta_is_absent(bars: Bars) -> None:
    others = Universe(tuple(i for i in UNIVERSE if i.symbol != "SPY"))
    market = build_market(bars, MacroSeries.empty(), others, CALENDAR)
    assert {"beta_60", "correlation_60"} <= set(build_features(market.panel, market.factors).absent)


def test_own_columns_follow_by_name(market: Market) -> None:
    shape = market.panel.fresh.shape
    own = {"sentiment_news": np.zeros(shape), "carry": np.ones(shape)}
    features = build_features(market.panel, market.factors, MarketContext(own=own))
    assert features.names[-2:] == ("carry", "sentiment_news")
    assert features.kinds[-2:] == ("own", "sentiment")
    assert (of(features, "carry") == 1.0).all()


@pytest.mark.parametrize(("name", "shape"), [("momentum_21", None), ("mine", (3, 2))])
def test_an_own_column_needs_a_name_and_a_shape_of_its_own(market: Market, name: str, shape: object) -> None:
    values = np.zeros(market.panel.fresh.shape if shape is None else (3, 2))
    with pytest.raises(InputError, match=name):
        build_features(market.panel, market.factors, MarketContext(own={name: values}))


def test_a_session_without_a_fresh_bar_has_no_features_of_its_own(market: Market, features: FeaturePanel) -> None:
    stale = ~market.panel.fresh
    assert stale.any()
    for position, (name, kind) in enumerate(FEATURE_KINDS.items()):
        if kind in ("price", "cross_section"):
            assert np.isnan(features.values[position][stale]).all(), name


@settings(max_examples=6)
@given(cut=st.integers(200, 370))
def test_cutting_the_future_changes_nothing(bars: Bars, market: Market, features: FeaturePanel, cut: int) -> None:
    last = market.panel.sessions[cut].item()
    known = bars.frame[bars.frame["available_at"] <= CALENDAR.decision_time(last)]
    earlier = build_market(Bars(known.reset_index(drop=True)), MacroSeries.empty(), UNIVERSE, CALENDAR, last)
    again = build_features(earlier.panel, earlier.factors, context_of(market, cut + 1))
    np.testing.assert_array_equal(again.values, features.values[:, : cut + 1])


@settings(max_examples=4)
@given(order=st.permutations(range(len(UNIVERSE))))
def test_another_order_of_assets_moves_columns_only(
    bars: Bars, market: Market, features: FeaturePanel, order: list[int]
) -> None:
    universe = Universe(tuple(UNIVERSE.instruments[position] for position in order))
    moved = build_market(bars, MacroSeries.empty(), universe, CALENDAR)
    context = context_of(market)
    columns = {name: values[:, order] for name, values in context.positioning.items()}
    again = build_features(moved.panel, moved.factors, MarketContext(context.macro, columns))
    np.testing.assert_array_equal(again.values, features.values[:, :, order])

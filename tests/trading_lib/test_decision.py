"""decide(): the stages in one call, and what holds between them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.builders.decisions import make_portfolio, make_regime, make_signals, make_state
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, market_of, random_bars, vector
from trading_lib.decision import FIRST_SESSION, decide, held_weights, target_stage
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import Side
from trading_lib.domain.decision.signals import MarketRegime
from trading_lib.domain.market.market_view import view_at
from trading_lib.strategies.config import SleeveConfig, StrategySettings


def trend_only(budget: float) -> DecisionConfig:
    return DecisionConfig(
        strategy=StrategySettings(sleeves=(SleeveConfig(name="trend", strategy="trend", budget=budget),))
    )


CONFIG = trend_only(1.0)


def rising() -> dict[str, np.ndarray]:
    return {
        "Momentum_60": vector(0.0, GLD=0.15, SPY=0.15),
        "SMA_20": np.full(ASSETS, 95.0),
        "SMA_50": np.full(ASSETS, 95.0),
        "SMA_200": np.full(ASSETS, 90.0),
    }


def test_a_session_from_signal_to_order() -> None:
    decision = decide(make_view(rising()), make_portfolio(100_000), make_state(), CONFIG, "demo")
    assert decision.regime.regime is MarketRegime.NORMAL
    assert decision.signals.codes[at("GLD")] == 2
    assert decision.targets.weights[at("GLD")] > 0.4
    assert decision.assessment.effective_level == 0
    assert {(order.symbol, order.side) for order in decision.batch.orders} == {("GLD", Side.BUY)}
    assert decision.batch.skipped["SPY"] == "daily turnover limit"


def test_deciding_twice_gives_the_same() -> None:
    one, other = (decide(make_view(rising()), make_portfolio(100_000), make_state(), CONFIG, "demo") for _ in range(2))
    assert one.batch == other.batch
    assert one.assessment.weights.tobytes() == other.assessment.weights.tobytes()
    assert one.assessment.next_state == other.assessment.next_state


def test_held_weights_are_shares_of_net_asset_value() -> None:
    portfolio = make_portfolio(50_000, GLD=(300, 90, 100), BTC_USD=("0.5", 30_000, 40_000))
    np.testing.assert_allclose(held_weights(UNIVERSE, portfolio), vector(0.0, GLD=0.3, BTC_USD=0.2))
    assert (held_weights(UNIVERSE, make_portfolio(-50_000, GLD=(1, 90, 100))) == 0).all()


@pytest.mark.parametrize("budget", [1.0, 0.5, 0.25])
def test_hold_keeps_the_holding_whatever_the_sleeves_budget(budget: float) -> None:
    """Half the capital for the sleeve must not mean half the position, session after session."""
    held = vector(0.0, GLD=0.10, SPY=0.05)
    found = target_stage(make_view(), make_regime(), make_signals(0), held, FIRST_SESSION, trend_only(budget))
    np.testing.assert_allclose(found.weights, held, rtol=1e-12)


def test_a_buy_gets_the_sleeves_share() -> None:
    signals = make_signals(vector(0, GLD=1).astype(np.int8), 0.8)
    whole, half = (
        target_stage(make_view(), make_regime(), signals, np.zeros(ASSETS), FIRST_SESSION, trend_only(budget)).weights
        for budget in (1.0, 0.5)
    )
    np.testing.assert_allclose(half, whole / 2)
    assert whole[at("GLD")] == pytest.approx(0.4)


def test_a_view_knows_its_session_without_being_told() -> None:
    market = market_of(random_bars(date(2022, 1, 3), date(2022, 2, 28), seed=1))
    view = view_at(UNIVERSE, market.panel, market.factors, 10)
    assert view.session == market.panel.sessions[10].item() == date(2022, 1, 18)
    assert len(view.mark_returns) == len(view.common_returns) == 11

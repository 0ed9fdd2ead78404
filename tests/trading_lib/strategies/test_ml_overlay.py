"""The overlay: the highest scores in equal weights, nothing without a score, and the same in the compiled loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.decisions import make_regime, make_signals
from tests.builders.markets import ASSETS, UNIVERSE, make_view
from tests.builders.runs import FIRST, LAST, assert_same, changed, market, sessions_in_loop, slow_path
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.config import MlOverlayConfig, StrategySettings
from trading_lib.strategies.ml_overlay import MODEL_SCORE, MlOverlay
from trading_lib.strategies.registry import running_sleeves

SCORES = np.arange(ASSETS, dtype=np.float64) / 10


def target(scores: FloatArray | None, month_end: bool = True, monthly: bool = True, **view: object) -> SleeveTarget:
    wanted = np.full(ASSETS, 0.02)
    sleeve = SleeveView(wanted, wanted, {}, make_regime(), make_signals())
    factors = {} if scores is None else {MODEL_SCORE: scores}
    seen = make_view(factors, month_end=month_end, **view)
    return MlOverlay(MlOverlayConfig(monthly=monthly)).target(seen, sleeve)


def scored(data: SessionInput, seed: int = 0) -> SessionInput:
    """Random scores of every asset and session."""
    factors = data.factors
    scores = np.random.default_rng(seed).standard_normal(factors.total_return_close.shape)
    scores[:, 3] = np.nan
    values = np.concatenate((factors.values, scores[None]))
    return replace(data, factors=replace(factors, names=(*factors.names, MODEL_SCORE), values=values))


def test_the_highest_scores_share_the_capital_equally() -> None:
    found = target(SCORES)
    assert np.flatnonzero(found.weights).tolist() == list(range(ASSETS - 5, ASSETS))
    assert found.weights.max() == 0.2
    reasons = found.rationale()
    assert reasons[""] == f"the 5 highest of {ASSETS} scores, 20.0% each"
    assert reasons[UNIVERSE.symbols[-1]].endswith(f"place 1 of {ASSETS}")


def test_equal_scores_stand_in_the_order_of_the_universe() -> None:
    assert np.flatnonzero(target(np.zeros(ASSETS)).weights).tolist() == [0, 1, 2, 3, 4]


def test_fewer_scores_than_positions_leave_cash() -> None:
    scores = np.full(ASSETS, np.nan)
    scores[[2, 4]] = -1.0
    found = target(scores)
    assert found.weights.sum() == pytest.approx(0.4)
    assert found.rationale()[UNIVERSE.symbols[0]] == "not scored by the model"


@pytest.mark.parametrize(
    ("scores", "said"),
    [(None, "no model has been champion"), (np.full(ASSETS, np.nan), "the champion scored no asset")],
)
def test_without_a_score_it_holds_nothing_and_says_so(scores: FloatArray | None, said: str) -> None:
    found = target(scores)
    assert not found.weights.any()
    assert found.rationale()[""] == f"in cash: {said}"


def test_between_month_ends_the_target_stands_unless_it_is_rebalanced_daily() -> None:
    assert target(SCORES, month_end=False).weights.tolist() == [0.02] * ASSETS
    assert target(SCORES, month_end=False).rationale()[""] == "waits for the month's last session"
    assert target(SCORES, month_end=False, monthly=False).weights.max() == 0.2


def test_it_is_off_as_shipped() -> None:
    assert "ml_overlay" not in [sleeve.name for sleeve in running_sleeves(StrategySettings())]


@pytest.mark.parametrize("monthly", [True, False])
def test_the_compiled_loop_trades_the_same(monthly: bool) -> None:
    data = scored(changed(market(), {"ml_overlay": 0.5, "trend": 0.5}))
    strategy = data.config.strategy.model_copy(update={"ml_overlay": MlOverlayConfig(monthly=monthly)})
    data = replace(data, config=data.config.model_copy(update={"strategy": strategy}))
    loop = run_backtest(data, FIRST, LAST)
    assert_same(loop, slow_path(data))
    assert sessions_in_loop(loop) > 0
    assert len(loop.fills) > 20


def test_a_backtest_without_the_factor_holds_nothing() -> None:
    data = changed(market(), {"ml_overlay": 1.0})
    assert len(run_backtest(data, FIRST, LAST).fills) == 0

"""What is hedged is no exposure to prices, and counts twice where gross size is limited."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.carry import SHORT, carry_config, hedged_universe
from tests.builders.decisions import make_portfolio, make_regime, make_signals, make_state, make_targets
from tests.builders.markets import ASSETS, at, make_view, vector
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.decision.sleeves import SleeveRecord, SleeveTarget
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.prices import FloatArray
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import constrain
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig

UNIVERSE = hedged_universe(carry_config())


def hedged(short: float, budget: float = 0.5) -> dict[str, SleeveRecord]:
    """A sleeve that holds ``short`` of net asset value in Bitcoin and sells as much short."""
    share = short / budget
    target = SleeveTarget(vector(0.0, BTC_USD=share), hedges={SHORT: share})
    return {"carry": SleeveRecord(target, np.zeros(ASSETS), budget)}


def assess(weights: FloatArray, short: float, recovering: bool = False) -> RiskAssessment:
    moves = np.zeros((80, ASSETS))
    moves[:, at("BTC-USD")] = np.tile([0.05, -0.05], 40)
    view = make_view(universe=UNIVERSE, mark_returns=moves)
    targets: TargetWeights = replace(make_targets(weights), sleeves=hedged(short))
    state = make_state(recovery_sessions=5) if recovering else make_state()
    portfolio = make_portfolio(100_000)
    # During re-entry only what is held already may have its full size.
    held = weights if recovering else np.zeros(ASSETS)
    return assess_risk(view, make_regime(), make_signals(1), targets, held, portfolio, state, RiskConfig())


def test_only_what_is_not_hedged_is_volatile() -> None:
    open_position = assess(vector(0.0, BTC_USD=0.10), 0.0).model_volatility
    assert open_position > 0.05
    assert assess(vector(0.0, BTC_USD=0.10), 0.05).model_volatility == pytest.approx(open_position / 2)
    assert assess(vector(0.0, BTC_USD=0.10), 0.10).model_volatility == pytest.approx(0.0)


def test_short_legs_count_for_the_leverage_of_the_re_entry_ladder() -> None:
    weights = vector(0.0, BTC_USD=0.10, SPY=0.40, GLD=0.45)
    assert assess(weights, 0.0, recovering=True).weights.sum() == pytest.approx(0.95)
    found = assess(weights, 0.10, recovering=True)
    assert found.leverage_limit == 1.0
    # 0.95 long and 0.10 short are 1.05; both sides shrink together to 1.00.
    assert found.weights.sum() * (1.0 + 0.10 / 0.95) == pytest.approx(1.0)
    assert "recovery_leverage" in found.clips["BTC-USD"]


@pytest.mark.parametrize(("leverage", "long"), [(1.5, 0.95), (1.0, 0.90)])
def test_short_legs_count_for_the_leverage_of_the_portfolio(leverage: float, long: float) -> None:
    wanted = vector(0.0, BTC_USD=0.10, SPY=0.40, GLD=0.50)
    config = ConstraintConfig(max_leverage=leverage)
    found = constrain(make_view(universe=UNIVERSE), wanted, np.zeros(ASSETS), config, hedged(0.10))
    assert found.weights.sum() == pytest.approx(long)
    assert found.hedges == {SHORT: pytest.approx(0.10)}

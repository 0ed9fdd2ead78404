"""What risk control allows at each level: who may be bought, what must be sold, at what size."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.builders.decisions import make_portfolio, make_regime, make_signals, make_state, make_targets
from tests.builders.markets import ASSETS, SESSION, UNIVERSE, at, make_view, vector
from trading_lib.decision import held_weights
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.decision.signals import SignalPanel
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RecoveryConfig, RiskConfig

CONFIG = RiskConfig()
HAVENS = {"GLD", "TLT", "TIP"}
HOLDINGS: dict[str, tuple[float, float, float]] = {
    "SPY": (101, 100, 100),
    "GLD": (200, 100, 100),
    "TLT": (40, 100, 100),
    "BTC_USD": (0.5, 10_000, 10_000),
}


def assess(
    portfolio: Portfolio,
    state: RiskState | None = None,
    targets: FloatArray | None = None,
    *,
    view: MarketView | None = None,
    signals: SignalPanel | None = None,
    correlations: FloatArray | None = None,
    config: RiskConfig = CONFIG,
) -> RiskAssessment:
    held = held_weights(UNIVERSE, portfolio)
    wanted = np.full(ASSETS, 0.05) if targets is None else targets
    return assess_risk(
        view or make_view(),
        make_regime(),
        signals or make_signals(1, 0.9),
        make_targets(wanted, correlations),
        held,
        portfolio,
        state or make_state(float(portfolio.nav)),
        config,
    )


def holding(**state: Any) -> tuple[Portfolio, RiskState]:
    """About $100,000 with a state whose level is given; the drawdown is that level's own."""
    portfolio = make_portfolio(60_900, **HOLDINGS)
    nav = float(portfolio.nav)
    level = state.get("level", 0)
    drawdown = (0.0, 0.06, 0.09, 0.13, 0.16)[level]
    return portfolio, replace(make_state(nav / (1 - drawdown)), **{"effective_level": level, **state})


def buyable(found: RiskAssessment) -> set[str]:
    return {UNIVERSE.symbols[i] for i in np.flatnonzero(found.may_increase)}


def ceilings(found: RiskAssessment) -> dict[str, float]:
    return {UNIVERSE.symbols[i]: float(found.ceilings[i]) for i in np.flatnonzero(np.isfinite(found.ceilings))}


def test_level_0_allows_everything_and_changes_nothing() -> None:
    found = assess(holding()[0])
    assert found.effective_level == 0
    assert buyable(found) == set(UNIVERSE.symbols)
    assert ceilings(found) == {}
    np.testing.assert_array_equal(found.weights, np.full(ASSETS, 0.05))
    assert found.events == ()
    assert found.leverage_limit == np.inf


def test_level_1_blocks_bitcoin_and_asks_for_more_confidence() -> None:
    portfolio, _ = holding()
    state = make_state(float(portfolio.nav) / 0.94)
    found = assess(portfolio, state, signals=make_signals(1, vector(0.9, SPY=0.39, GLD=0.40)))
    assert found.level == 1
    assert found.minimum_confidence == 0.40
    assert buyable(found) == set(UNIVERSE.symbols) - {"BTC-USD", "SPY"}
    assert ceilings(found) == {}


def test_level_2_sells_a_quarter_closes_bitcoin_and_buys_nothing() -> None:
    portfolio, _ = holding()
    found = assess(portfolio, make_state(float(portfolio.nav) / 0.91))
    assert found.level == 2
    assert buyable(found) == set()
    # 75 % of 101 shares are 75.75: whole lots stay, rounded down.
    assert ceilings(found) == {"SPY": 75, "GLD": 150, "TLT": 30, "BTC-USD": 0}
    held = held_weights(UNIVERSE, portfolio)
    assert (found.weights <= held + 1e-15).all()
    assert [e.kind for e in found.events] == ["level_raised", "reduction"]
    assert "REDUCE_25%" in found.ceiling_reasons["SPY"]


def test_level_3_sells_half_spares_the_havens_and_buys_only_them() -> None:
    portfolio, _ = holding()
    found = assess(portfolio, make_state(float(portfolio.nav) / 0.87))
    assert found.level == 3
    assert ceilings(found) == {"SPY": 50, "BTC-USD": 0}
    assert buyable(found) == set(), "nobody has approved anything yet"
    assert buyable(assess(portfolio, found.next_state)) == HAVENS


def test_without_an_approval_level_3_buys_no_havens_and_sells_all_the_same() -> None:
    manual = RiskConfig(simulated_approval=False)
    portfolio, _ = holding()
    found = assess(portfolio, make_state(float(portfolio.nav) / 0.87), config=manual)
    for _ in range(3):
        assert found.next_state.question == SESSION
        assert found.next_state.awaiting_approval
        assert ceilings(found) == {"SPY": 50, "BTC-USD": 0}
        assert buyable(found) == set()
        assert "manual_review" in found.clips["TIP"]
        found = assess(portfolio, found.next_state, config=manual)
    approved = assess(portfolio, replace(found.next_state, approved=True), config=manual)
    assert buyable(approved) == HAVENS
    assert not approved.next_state.awaiting_approval


def test_level_4_liquidates_everything_and_asks_for_a_person() -> None:
    portfolio, _ = holding()
    found = assess(portfolio, make_state(float(portfolio.nav) / 0.84))
    assert found.level == 4
    assert buyable(found) == set()
    assert ceilings(found) == {"SPY": 0, "GLD": 0, "TLT": 0, "BTC-USD": 0}
    assert (found.weights == 0).all()
    assert found.next_state.awaiting_approval


def test_level_4_goes_on_liquidating_what_could_not_be_sold() -> None:
    portfolio, state = holding(level=4)
    found = assess(portfolio, state)
    assert ceilings(found) == {"SPY": 0, "GLD": 0, "TLT": 0, "BTC-USD": 0}
    assert "is in force" in found.ceiling_reasons["SPY"]


def test_an_unchanged_level_reduces_only_once() -> None:
    portfolio, state = holding(level=2)
    assert ceilings(assess(portfolio, state)) == {}


def test_a_ceiling_stays_until_it_is_sold_down_to() -> None:
    portfolio, state = holding(level=2, ceilings={"SPY": Decimal(75), "GLD": Decimal(200)})
    found = assess(portfolio, state)
    assert ceilings(found) == {"SPY": 75}  # GLD is at its ceiling, its work is done
    assert found.next_state.ceilings == {"SPY": Decimal(75)}
    assert "still in force" in found.ceiling_reasons["SPY"]


def test_a_levels_ceiling_goes_with_the_level() -> None:
    portfolio, state = holding(level=1, ceilings={"SPY": Decimal(75)})
    assert ceilings(assess(portfolio, state)) == {}


def test_a_haven_bought_at_level_3_is_not_sold_for_an_older_ceiling() -> None:
    """Level 2 left 75 shares of GLD; at level 3 havens may be bought, and more than 75 are then no breach."""
    portfolio = make_portfolio(70_000, GLD=(75, 100, 100), SPY=(50, 100, 100))
    state = make_state(
        float(portfolio.nav) / 0.87, level=3, effective_level=3, ceilings={"GLD": Decimal(75), "SPY": Decimal(50)}
    )
    first = assess(portfolio, state)
    assert first.may_increase[at("GLD")]
    bought = make_portfolio(60_000, GLD=(175, 100, 100), SPY=(50, 100, 100))
    assert ceilings(assess(bought, first.next_state)) == {}


def test_havens_bought_back_after_a_liquidation_are_kept() -> None:
    portfolio, state = holding(level=4, calm_sessions=4)
    gone = make_portfolio(portfolio.nav)
    state = replace(state, ceilings={"GLD": Decimal(0), "SPY": Decimal(0)})
    lowered = assess(gone, state)
    assert lowered.level == 3
    bought = make_portfolio(float(portfolio.nav) - 2_000, GLD=(20, 100, 100))
    assert ceilings(assess(bought, lowered.next_state)) == {}


def test_a_stop_sets_a_ceiling_and_blocks_buying_for_five_sessions() -> None:
    portfolio = make_portfolio(90_000, SPY=(100, 120, 100))  # 16.7 % below cost
    found = assess(portfolio)
    assert ceilings(found) == {"SPY": 50}
    assert "SPY" not in buyable(found)
    half = make_portfolio(95_000, SPY=(50, 120, 100))
    blocked = 0
    while "SPY" not in buyable(found):
        blocked += 1
        found = assess(half, replace(found.next_state, level=0))
        assert ceilings(found) == {}
    assert blocked == 5


def test_a_stop_that_found_no_buyer_is_tried_again_while_it_cools_off() -> None:
    portfolio = make_portfolio(90_000, SPY=(100, 120, 100))
    found = assess(portfolio)
    again = assess(portfolio, found.next_state)
    assert ceilings(again) == {"SPY": 50}


def test_the_lower_of_two_ceilings_counts() -> None:
    portfolio = make_portfolio(50_000, SPY=(100, 120, 100))
    found = assess(portfolio, make_state(float(portfolio.nav) / 0.91))  # level 2 leaves 75, the stop 50
    assert ceilings(found) == {"SPY": 50}
    assert "lost 16.7%" in found.ceiling_reasons["SPY"]


def test_what_may_not_grow_stays_at_its_present_weight() -> None:
    fresh = np.ones(ASSETS, dtype=np.bool_)
    fresh[at("SPY")] = False
    portfolio = make_portfolio(90_000, SPY=(100, 100, 100))
    found = assess(portfolio, targets=np.full(ASSETS, 0.2), view=make_view(fresh=fresh))
    assert "SPY" not in buyable(found)
    assert found.weights[at("SPY")] == pytest.approx(0.1)


def together(value: float) -> FloatArray:
    matrix = np.full((ASSETS, ASSETS), value)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def test_a_high_average_correlation_acts_like_level_1_and_leaves_with_its_cause() -> None:
    portfolio, state = holding()
    found = assess(portfolio, state, correlations=together(0.6))
    assert (found.level, found.floor, found.effective_level) == (0, 1, 1)
    assert "BTC-USD" not in buyable(found)
    assert [(e.kind, e.level_after) for e in found.events] == [("floor", 1)]
    left = assess(portfolio, found.next_state, correlations=together(0.3))
    assert left.effective_level == 0
    assert [(e.kind, e.level_after, e.reason) for e in left.events] == [
        ("floor", 0, "the correlation floor no longer applies")
    ]


def test_when_every_pair_moves_as_one_it_is_level_2() -> None:
    portfolio, state = holding()
    found = assess(portfolio, state, correlations=together(0.85))
    assert (found.level, found.effective_level) == (0, 2)
    assert ceilings(found) == {"SPY": 75, "GLD": 150, "TLT": 30, "BTC-USD": 0}
    assert buyable(found) == set()
    # The floor is in force already: no second reduction.
    sold = make_portfolio(92_500, SPY=(75, 100, 100))
    assert ceilings(assess(sold, found.next_state, correlations=together(0.85))) == {}


def test_a_floor_below_the_level_changes_nothing() -> None:
    portfolio, state = holding(level=3, approved=True)
    found = assess(portfolio, state, correlations=together(0.85))
    assert (found.level, found.floor, found.effective_level) == (3, 2, 3)
    told = [(e.kind, e.level_before, e.level_after) for e in found.events]
    assert told == [("floor", 3, 3), ("pair_correlation", 3, 3)]
    assert ceilings(found) == {}
    assert assess(portfolio, found.next_state, correlations=together(0.85)).events == ()


def test_the_ladder_limits_purchases() -> None:
    portfolio = make_portfolio(100_000)
    found = assess(portfolio, make_state(recovery_sessions=5))
    np.testing.assert_allclose(found.weights, np.full(ASSETS, 0.05 * 0.50))
    assert found.leverage_limit == 1.0


def test_the_ladder_sells_nothing_that_is_held() -> None:
    """HOLD wants what is held; a quarter of that, session after session, would be a slow liquidation."""
    portfolio = make_portfolio(90_000, GLD=(50, 100, 100), SPY=(50, 100, 100))
    held = held_weights(UNIVERSE, portfolio)
    targets = held.copy()
    targets[at("QQQ")] = 0.2
    targets[at("SPY")] = 0.01
    found = assess(portfolio, make_state(float(portfolio.nav), recovery_sessions=0), targets)
    assert found.weights[at("GLD")] == held[at("GLD")]
    assert found.weights[at("QQQ")] == pytest.approx(0.05)
    assert found.weights[at("SPY")] == 0.01  # a signal to reduce is followed


def test_leverage_is_limited_during_recovery() -> None:
    config = RiskConfig(recovery=RecoveryConfig(max_leverage=0.10))
    found = assess(make_portfolio(100_000), make_state(recovery_sessions=5), config=config)
    assert found.weights.sum() == pytest.approx(0.10)
    assert assess(make_portfolio(100_000), make_state(), config=config).weights.sum() == pytest.approx(0.75)


def test_the_events_of_the_ladder_are_told() -> None:
    begins = assess(make_portfolio(84_000), make_state(level=4, effective_level=4, calm_sessions=4))
    assert begins.next_state.recovery_sessions == 0
    assert any("re-entry begins at 25%" in e.reason for e in begins.events)
    ends = assess(make_portfolio(100_000), make_state(recovery_sessions=14))
    assert ends.next_state.recovery_sessions is None
    assert [e.reason for e in ends.events] == ["the re-entry ladder reached full size"]
    assert (ends.weights == 0.05).all()


def test_a_liquidation_during_recovery_is_no_end_of_the_ladder() -> None:
    found = assess(make_portfolio(80_000), make_state(recovery_sessions=3))
    assert found.effective_level == 4
    assert [e.kind for e in found.events] == ["level_raised"]


def test_the_assessment_reports_its_measurements() -> None:
    correlations = np.full((ASSETS, ASSETS), np.nan)
    correlations[1, 0] = correlations[0, 1] = 0.4
    correlations[2, 0] = correlations[0, 2] = 0.2
    found = assess(make_portfolio(97_000), make_state(), correlations=correlations)
    assert found.drawdown == pytest.approx(0.03)
    assert found.average_correlation == pytest.approx(0.3)
    assert found.largest_correlation == 0.4
    assert found.model_volatility == 0.0
    assert found.next_state.peak == 100_000

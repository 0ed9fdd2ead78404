"""Rotation and cross-sectional momentum: what a month's end does, what bounds it, and when it defends itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.builders.decisions import make_regime, make_signals
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView, Strategy
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import MomentumConfig, RiskMeasure, RotationConfig, StrategySettings
from trading_lib.strategies.registry import running_sleeves
from trading_lib.strategies.rotation.rotation import CrossSectionalMomentum, Rotation
from trading_lib.strategies.weighting.risk_parity import equal_risk_contributions, risk_contributions

# In universe order the first four trail, the last five lead.
RISING = np.linspace(-0.10, 0.30, ASSETS)
TRAILERS, LEADERS = UNIVERSE.symbols[:4], UNIVERSE.symbols[-5:]
FREE: dict[str, Any] = {"monthly_turnover": 1.0, "monthly_cost": 1.0}
NOTHING = np.zeros(ASSETS)


def month_end(averages: FloatArray | float = 90.0, momentum: FloatArray = RISING, **columns: Any) -> MarketView:
    """The last session of a month at prices of $100; SMA_200 as given, returns random and seeded."""
    generator = np.random.default_rng(11)
    spread = np.linspace(0.4, 2.0, ASSETS)
    returns = generator.normal(0, 0.01, (130, ASSETS)) * spread + generator.normal(0, 0.006, (130, 1))
    average = np.broadcast_to(np.asarray(averages, dtype=float), ASSETS)
    view = make_view({"Momentum_12_1": momentum, "SMA_200": average}, common_returns=returns, month_end=True)
    return replace(view, **columns)


def sleeve_of(wanted: FloatArray = NOTHING, memory: Mapping[str, float] | None = None) -> SleeveView:
    return SleeveView(wanted, wanted, memory or {}, make_regime(), make_signals())


def falling(*symbols: str) -> FloatArray:
    """Averages above the price for some, below for the others."""
    return vector(90.0, **{symbol.replace("-", "_"): 110.0 for symbol in symbols})


def held(weights: FloatArray) -> dict[str, float]:
    return {symbol: float(weights[i]) for i, symbol in enumerate(UNIVERSE.symbols) if weights[i] > 0}


def events_of(target: SleeveTarget) -> list[str]:
    return [event.kind for event in target.events]


def test_the_selected_carry_equal_risk_and_trailers_are_sold() -> None:
    view = month_end(falling("EFA"))
    found = Rotation(RotationConfig(**FREE)).target(view, sleeve_of(vector(0.0, SPY=0.5)))
    selected = [at(symbol) for symbol in LEADERS if symbol != "EFA"]
    assert set(held(found.weights)) == {UNIVERSE.symbols[i] for i in selected}
    assert found.weights.sum() == pytest.approx(1.0)
    covariance = np.cov(np.expm1(view.common_returns[-126:, selected]).T)
    np.testing.assert_allclose(risk_contributions(covariance, found.weights[selected]), 0.25, atol=1e-6)
    assert found.events == ()


def test_the_middle_keeps_its_weight_and_the_selected_share_what_is_left() -> None:
    present = vector(0.0, XLK=0.25, XLV=0.10, GLD=0.30, EFA=0.05)
    found = Rotation(RotationConfig(**FREE)).target(month_end(), sleeve_of(present))
    assert found.weights[at("XLK")] == 0.25
    assert found.weights[at("XLV")] == 0.10
    assert found.weights[at("GLD")] == 0.0
    assert found.weights[[at(symbol) for symbol in LEADERS]].sum() == pytest.approx(0.65)


def test_what_has_no_rank_keeps_its_weight() -> None:
    momentum = RISING.copy()
    momentum[at("GLD")] = np.nan
    found = Rotation(RotationConfig(**FREE)).target(month_end(momentum=momentum), sleeve_of(vector(0.0, GLD=0.3)))
    assert found.weights[at("GLD")] == 0.3
    assert "no rank without twelve months of history" in found.rationale()["GLD"]


def test_a_retired_asset_is_neither_ranked_nor_kept_nor_a_defence() -> None:
    retired = Universe(tuple(replace(i, retired=i.symbol in ("XLK", "VNQ", "GLD")) for i in UNIVERSE))
    view, present = replace(month_end(), universe=retired), vector(0.0, XLK=0.3, VNQ=0.1)
    found = Rotation(RotationConfig(**FREE)).target(view, sleeve_of(present))
    assert not found.weights[[at("XLK"), at("VNQ"), at("GLD")]].any()
    assert found.rationale()["XLK"] == "retired from the universe: sold"
    # Of the twelve left, four lead: ranks 9/12 and above.
    assert set(held(found.weights)) == {"TIP", "EFA", "EEM", "DBC"}
    down = replace(month_end(falling(*LEADERS)), universe=retired)
    assert set(held(Rotation(RotationConfig(**FREE)).target(down, sleeve_of()).weights)) == {"TLT"}


def test_without_any_rank_nothing_happens() -> None:
    view = month_end(momentum=np.full(ASSETS, np.nan))
    for wanted in (NOTHING, vector(0.0, SPY=0.4)):
        found = Rotation(RotationConfig()).target(view, sleeve_of(wanted))
        np.testing.assert_array_equal(found.weights, wanted)
    assert found.rationale()[""].startswith("month end: no asset has twelve months of history")


def test_on_other_sessions_the_last_target_stands_and_a_new_book_waits_in_cash() -> None:
    view = replace(month_end(), month_end=False)
    wanted = vector(0.0, SPY=0.37, XLE=0.2)
    found = Rotation(RotationConfig()).target(view, sleeve_of(wanted, {"in_defence": 1.0}))
    np.testing.assert_array_equal(found.weights, wanted)
    assert dict(found.memory) == {"in_defence": 1.0}
    assert found.rationale()["SPY"] == "keeps 37.0% until the month's last session"
    new = Rotation(RotationConfig()).target(view, sleeve_of())
    assert not new.weights.any()
    assert new.rationale() == {"": "waits for the month's last session, in cash"}


def test_turnover_bounds_the_month_and_the_words_say_so() -> None:
    present = vector(0.0, SPY=0.6, QQQ=0.4)
    found = Rotation(RotationConfig()).target(month_end(), sleeve_of(present))
    assert np.abs(found.weights - present).sum() / 2 == pytest.approx(0.40)
    assert found.weights[at("SPY")] == pytest.approx(0.36)
    assert found.rationale()[""].endswith("turnover 100.0% > 40.0% a month, so 40% of the way")
    assert found.rationale()["SPY"] == (
        "rank 0.13 (12-1 momentum -7.1%), price 100.00 > SMA_200 90.00: rank below 0.30 is avoided, "
        "of which 40% from 60.0% -> 36.0%"
    )


def test_the_first_allocation_from_cash_is_bounded_too() -> None:
    # All cash into assets trades 100 %, which is 50 % of turnover, so four fifths are invested.
    found = Rotation(RotationConfig()).target(month_end(), sleeve_of())
    assert found.weights.sum() == pytest.approx(0.80)


def test_the_cost_bound_uses_each_assets_own_rates() -> None:
    momentum = np.full(ASSETS, np.nan)
    momentum[at("BTC-USD")] = 0.5
    view = month_end(momentum=momentum)
    config = MomentumConfig(monthly_turnover=1.0, monthly_cost=0.001)
    found = CrossSectionalMomentum(config).target(view, sleeve_of())
    assert found.weights[at("BTC-USD")] == pytest.approx(0.40)  # 0.1 % over 0.25 % a dollar
    assert "estimated cost 0.25% > 0.10% a month" in found.rationale()[""]


def test_the_next_month_goes_on_where_the_bound_stopped() -> None:
    view, rotation = month_end(), Rotation(RotationConfig())
    wanted = NOTHING
    for invested in (0.8, 1.0, 1.0):
        wanted = rotation.target(view, sleeve_of(wanted)).weights
        assert wanted.sum() == pytest.approx(invested)


def test_more_than_half_of_the_leaders_falling_means_gold_and_bonds_at_equal_risk() -> None:
    view = month_end(falling("DBC", "EEM", "VNQ"))
    found = Rotation(RotationConfig(**FREE)).target(view, sleeve_of(vector(0.0, XLK=0.5, TIP=0.5)))
    pair = [at("GLD"), at("TLT")]
    expected = equal_risk_contributions(np.cov(np.expm1(view.common_returns[-126:, pair]).T))
    np.testing.assert_allclose(found.weights[pair], expected, rtol=1e-9)
    assert set(held(found.weights)) == {"GLD", "TLT"}
    assert events_of(found) == ["defence"]
    assert found.events[0].reason == (
        "defence begins: 3 of 5 leaders closed below their SMA_200, more than 50%; into GLD and TLT"
    )
    assert found.rationale()["XLK"].endswith("sold for the defence")
    assert "defence, risk parity" in found.rationale()["GLD"]


def test_the_move_into_defence_is_bounded_like_any_other() -> None:
    found = Rotation(RotationConfig()).target(month_end(falling(*LEADERS)), sleeve_of(vector(0.0, XLK=1.0)))
    assert found.weights[at("XLK")] == pytest.approx(0.6)


def test_defence_is_reported_once_and_its_end_too() -> None:
    rotation, down, up = Rotation(RotationConfig()), month_end(falling(*LEADERS)), month_end()
    first = rotation.target(down, sleeve_of())
    second = rotation.target(down, sleeve_of(first.weights, first.memory))
    third = rotation.target(up, sleeve_of(second.weights, second.memory))
    fourth = rotation.target(up, sleeve_of(third.weights, third.memory))
    assert [events_of(target) for target in (first, second, third, fourth)] == [["defence"], [], ["defence"], []]
    assert third.events[0].reason == ("defence ends: 0 of 5 leaders closed below their SMA_200, no more than 50%")


def test_when_defence_ends_the_middle_does_not_keep_what_was_bought_for_it() -> None:
    # TLT ranks in the middle here; its weight came from the defence alone, so it goes, over as many months as it takes.
    rotation, up = Rotation(RotationConfig()), month_end()
    wanted, memory = vector(0.0, GLD=0.4, TLT=0.6), {"in_defence": 1.0}
    # A turnover of 100 %, 60 % and 20 %: forty points of each month's way are allowed.
    for left in (0.36, 0.12, 0.0):
        target = rotation.target(up, sleeve_of(wanted, memory))
        assert "bought as a defence, which has ended" in target.rationale()["TLT"]
        wanted, memory = target.weights, dict(target.memory)
        assert wanted[at("TLT")] == pytest.approx(left)
        assert memory["leaving_defence"] == float(left > 0)


def test_a_defence_asset_held_for_its_rank_is_kept_in_the_middle() -> None:
    found = Rotation(RotationConfig()).target(month_end(), sleeve_of(vector(0.0, TLT=0.2)))
    assert found.weights[at("TLT")] == pytest.approx(0.2)


@pytest.mark.parametrize("absent", ["no price yet", "not in the universe", "no history"])
def test_a_defence_asset_that_does_not_exist_is_absent(absent: str) -> None:
    view, symbols = month_end(falling(*LEADERS)), ("GLD", "TLT")
    if absent == "no price yet":
        view = replace(view, close=vector(100.0, TLT=np.nan))
    elif absent == "not in the universe":
        symbols = ("GLD", "BIL")
    else:
        view.common_returns[:, at("TLT")] = np.nan
    found = Rotation(RotationConfig(defence_symbols=symbols, **FREE)).target(view, sleeve_of())
    assert held(found.weights) == {"GLD": pytest.approx(1.0)}
    assert found.events[0].reason.endswith("into GLD")


@pytest.mark.parametrize("strategy", [Rotation(RotationConfig(**FREE)), CrossSectionalMomentum(MomentumConfig(**FREE))])
def test_without_any_defence_asset_the_defence_is_cash(strategy: Strategy) -> None:
    view = replace(month_end(falling(*LEADERS)), close=vector(100.0, GLD=np.nan, TLT=np.nan))
    found = strategy.target(view, sleeve_of(vector(0.0, XLK=0.7)))
    assert not found.weights.any()
    assert found.events[0].reason.endswith("into cash")
    assert "in cash, for none of GLD, TLT can be weighed" in found.rationale()[""]


def test_a_defence_without_known_risk_is_cash_too_and_says_so() -> None:
    view = month_end(falling(*LEADERS))
    view.common_returns[:, [at("GLD"), at("TLT")]] = np.nan
    found = Rotation(RotationConfig(**FREE)).target(view, sleeve_of(vector(0.0, XLK=0.7)))
    assert not found.weights.any()
    assert events_of(found) == ["defence", "no_known_risk"]
    assert found.events[1].reason.startswith("the defence is cash: GLD has only 0 of the 101 returns its risk needs")


def test_selected_assets_of_unknown_risk_leave_the_previous_targets_in_place() -> None:
    view = month_end()
    view.common_returns[:, -5:] = np.nan
    present = vector(0.0, SPY=0.3, XLK=0.2)
    found = Rotation(RotationConfig()).target(view, sleeve_of(present, {"in_defence": 1.0}))
    np.testing.assert_array_equal(found.weights, present)
    assert events_of(found) == ["defence", "no_known_risk"]
    assert found.events[1].reason.startswith("the previous targets stay: TIP has only 0 of the 101 returns")
    assert found.memory["leaving_defence"] == 1.0
    assert found.rationale()["SPY"].endswith("keeps 30.0%")


def test_a_selected_asset_without_variance_is_left_out() -> None:
    view = month_end()
    view.common_returns[:, at("EEM")] = 0.0
    found = Rotation(RotationConfig(**FREE)).target(view, sleeve_of())
    assert set(held(found.weights)) == set(LEADERS) - {"EEM"}
    assert found.rationale()["EEM"].endswith("left out, no variance in 126 sessions, so no risk to share")


def test_where_risk_parity_has_no_solution_inverse_volatility_takes_over() -> None:
    momentum = np.full(ASSETS, np.nan)
    momentum[[at("EEM"), at("DBC")]] = 0.2, 0.3
    view = month_end(momentum=momentum)
    view.common_returns[:, at("DBC")] = np.log1p(-2.0 * np.expm1(view.common_returns[:, at("EEM")]))
    config = RotationConfig(top_share=0.6, bottom_share=0.0, **FREE)
    found = Rotation(config).target(view, sleeve_of())
    assert held(found.weights) == {"EEM": pytest.approx(2 / 3), "DBC": pytest.approx(1 / 3)}
    assert events_of(found) == ["solver_fallback"]
    assert found.events[0].reason.startswith(
        "inverse volatility instead of risk parity: risk parity of 2 assets was not"
    )
    assert "inverse volatility 66.7% of 100.0%" in found.rationale()["EEM"]


def test_a_failed_solver_under_a_cap_leaves_the_rest_in_cash() -> None:
    momentum = np.full(ASSETS, np.nan)
    momentum[-3:] = 0.1, 0.2, 0.3
    view = month_end(momentum=momentum)
    # Certain gains have no tail to share, so the solver finds nothing; the last asset is by far the calmest.
    view.common_returns[:, -3:] = np.abs(view.common_returns[:, -3:]) + 0.01
    view.common_returns[:, -1] *= 0.05
    config = RotationConfig(
        top_share=0.7, bottom_share=0.0, risk_measure=RiskMeasure.CONDITIONAL_VALUE_AT_RISK, asset_cap=0.4, **FREE
    )
    found = Rotation(config).target(view, sleeve_of())
    assert events_of(found) == ["solver_fallback"]
    assert found.weights[-1] == pytest.approx(0.4)
    assert 0.4 < found.weights.sum() < 1.0


def test_another_measure_and_caps_go_through_riskfolio() -> None:
    view = month_end()
    config = RotationConfig(risk_measure=RiskMeasure.MEAN_ABSOLUTE_DEVIATION, asset_cap=0.22, **FREE)
    found = Rotation(config).target(view, sleeve_of())
    assert found.events == ()
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-6)
    assert found.weights.max() <= 0.22
    assert "risk parity of MAD with at most 22% each" in found.rationale()["TIP"]


def test_cross_sectional_momentum_shares_equally() -> None:
    found = CrossSectionalMomentum(MomentumConfig(**FREE)).target(month_end(), sleeve_of(vector(0.0, XLK=0.2)))
    assert held(found.weights) == {"XLK": 0.2} | dict.fromkeys(LEADERS, pytest.approx(0.16))
    assert "selected, equal weight 20.0% of 80.0% -> 16.0%" in found.rationale()["TIP"]


def test_words_name_every_ranked_asset_with_raw_prices() -> None:
    view = replace(month_end(180.0), total_return_close=np.full(ASSETS, 200.0), price_factor=np.full(ASSETS, 2.0))
    words = Rotation(RotationConfig()).target(view, sleeve_of()).rationale()
    assert set(words) == {"", *UNIVERSE.symbols}
    assert words["VNQ"].startswith("rank 1.00 (12-1 momentum +30.0%), price 100.00 > SMA_200 90.00: selected")
    assert words["XLK"].endswith("> SMA_200 90.00: not bought")
    assert words[""].startswith("month end: 5 of 15 ranked assets lead, 0 of them below SMA_200; turnover 50.0%")


def test_both_run_by_name_and_take_options() -> None:
    settings = StrategySettings.model_validate(
        {
            "sleeves": {
                "rotation": {"strategy": "rotation", "budget": 0.6, "options": {"defence_symbols": ["TIP"], **FREE}},
                "cross_sectional_momentum": 0.4,
            }
        }
    )
    view = month_end(falling(*LEADERS))
    rotation, momentum = (sleeve.strategy.target(view, sleeve_of()) for sleeve in running_sleeves(settings))
    assert held(rotation.weights) == {"TIP": pytest.approx(1.0)}
    assert held(momentum.weights) == dict.fromkeys(("GLD", "TLT"), pytest.approx(0.4))

"""What `explain` tells of a decision is the decision, whatever is configured: the same weights, by the same rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.carry import carry_config, hedged_universe, rates_of
from tests.builders.markets import CALENDAR, backtest_input, random_bars
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.risk.limits.buy_restrictions import DUST
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.strategies.config import SleeveConfig, StrategySettings
from trading_lib.workflows.data.market import build_market
from trading_lib.workflows.explain.symbol import Evidence, explain_symbol

FIRST, START, LAST = date(2021, 1, 4), date(2022, 1, 3), date(2022, 4, 14)
CRASHES = {date(2022, 1, 26): 0.93, date(2022, 2, 15): 0.88, date(2022, 3, 15): 0.94}
CARRY = carry_config(pause_ratio=100.0)


@lru_cache
def market(seed: int, volatility: float) -> SessionInput:
    def rate(moment: datetime) -> float:
        return 0.0004 if moment.month % 2 else -0.0001

    rates = rates_of(FIRST, LAST, rate)
    bars = random_bars(FIRST, LAST, seed, daily_volatility=volatility, missing=0.03, crashes=CRASHES)
    made = build_market(bars, MacroSeries.empty(), hedged_universe(CARRY), CALENDAR, LAST, rates)
    data = replace(backtest_input(made), universe=hedged_universe(CARRY), funding=made.funding)
    return replace(data, views=SessionViews(data.universe, data.panel, data.factors, data.funding))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 3),
    volatility=st.sampled_from([0.008, 0.02]),
    carry=st.sampled_from([0.0, 0.1, 0.3]),
    leverage=st.sampled_from([0.2, 0.5, 0.8, 1.5]),
    buffer=st.sampled_from([0.0, 0.05, 0.5]),
    pairs=st.sampled_from([0.05, 0.3, 0.7]),
    threshold=st.sampled_from([0.0, 0.02]),
    drawdowns=st.sampled_from([(0.005, 0.01, 0.015, 0.02), (0.02, 0.04, 0.06, 0.08), (0.05, 0.08, 0.12, 0.15)]),
    confidence=st.sampled_from([0.4, 0.8]),
    floor=st.sampled_from([0.05, 0.5]),
)
def test_the_steps_of_every_session_end_in_its_weights_and_name_its_rules(
    seed: int, volatility: float, carry: float, leverage: float, buffer: float, pairs: float, threshold: float,
    drawdowns: tuple[float, float, float, float], confidence: float, floor: float,
) -> None:  # fmt: skip
    budgets = {"trend": 0.5 - carry / 2, "rotation": 0.5 - carry / 2, "carry": carry}
    config = DecisionConfig.model_validate(
        {
            "constraints": {"max_leverage": leverage, "cash_buffer": buffer, "pair_correlation": pairs},
            "orders": {"rebalance_threshold": threshold},
            "risk": {
                "levels": {
                    "drawdowns": drawdowns,
                    "rebase_margin": drawdowns[0] / 2,
                    "level_1_minimum_confidence": confidence,
                },
                "correlation": {"average_floor_1": floor},
                "recovery": {"sessions_per_step": 2, "max_leverage": min(leverage, 0.4)},
                "calm_sessions": 2,
            },
        }
    )
    listed = tuple(SleeveConfig(name=n, strategy=n, budget=b) for n, b in budgets.items() if b > 0)
    config = config.model_copy(update={"strategy": StrategySettings(sleeves=listed, carry=CARRY)})
    data = replace(market(seed, volatility), config=config)
    assert data.views is not None
    rows = window_rows(data.panel, CALENDAR, START, LAST)
    for row, outcome in zip(rows, trade_sessions(data, rows), strict=True):
        decision, portfolio = outcome.decision, outcome.end_of_day.portfolio
        evidence = Evidence("", "", "", config, data.views[row], portfolio, decision, {}, {}, ())
        targets, assessment = decision.targets, decision.assessment
        # Explaining all of them every session would take minutes.
        symbols = data.universe.symbols
        for symbol in ("BTC-USD", *(symbols[(row * 3 + k) % len(symbols)] for k in range(3))):
            i = data.universe.positions[symbol]
            told = explain_symbol(evidence, symbol)
            constraints, limits = told["constraints"], told["risk"]["steps"]
            chain = [float(targets.wanted[i])]
            for step in (*constraints, *limits):
                assert step["before"] == chain[-1]
                chain.append(step["after"])
            after = len(constraints)
            assert chain[after] == targets.weights[i]
            # What risk control lowers by less it names no rule for.
            assert chain[-1] == pytest.approx(assessment.weights[i], abs=DUST)
            assert [step["rule"] for step in constraints] == list(targets.clips.get(symbol, ()))
            assert {step["rule"] for step in limits} == set(assessment.clips.get(symbol, ()))

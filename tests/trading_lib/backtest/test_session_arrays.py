"""What a run keeps of each session is what the portfolio and the sleeves were at its decision."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.builders.markets import ASSETS, UNIVERSE, backtest_input, market_of, random_bars
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.decision import Decision
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.signals import REGIME_CODES

Seen = list[tuple[date, Decision, Portfolio]]


@pytest.fixture(scope="module")
def observed() -> tuple[BacktestResult, Seen]:
    seen: Seen = []
    data = backtest_input(market_of(random_bars(date(2020, 11, 2), date(2022, 6, 30), seed=9)))
    result = run_backtest(data, date(2021, 11, 1), date(2022, 6, 30), lambda *found: seen.append(found))
    return result, seen


def test_quantities_are_those_of_the_portfolio(observed: tuple[BacktestResult, Seen]) -> None:
    result, seen = observed
    assert result.quantity.shape == (len(seen), ASSETS)
    for row, (_, _, portfolio) in enumerate(seen):
        held = {UNIVERSE.symbols[i]: result.quantity[row, i] for i in np.flatnonzero(result.quantity[row])}
        assert held == {symbol: float(position.quantity) for symbol, position in portfolio.positions.items()}
    assert len({tuple(row) for row in result.quantity}) > 20


def test_sleeves_own_the_holdings_together(observed: tuple[BacktestResult, Seen]) -> None:
    result, seen = observed
    owned = sum(result.sleeves.values())
    for row, (_, decision, portfolio) in enumerate(seen):
        weights = [portfolio.weight(symbol) for symbol in UNIVERSE.symbols]
        assert owned[row] == pytest.approx(weights, abs=1e-9)
        assert set(decision.targets.sleeves) == set(result.sleeves)


def test_regimes_and_levels_are_the_decisions(observed: tuple[BacktestResult, Seen]) -> None:
    result, seen = observed
    assert result.regimes.tolist() == [REGIME_CODES[decision.regime.regime] for _, decision, _ in seen]
    assert result.levels.tolist() == [decision.assessment.effective_level for _, decision, _ in seen]
    assert len(set(result.regimes.tolist())) > 1
    assert result.invested == pytest.approx([1 - float(p.cash / p.nav) for _, _, p in seen])

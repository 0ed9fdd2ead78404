"""Years, months and regimes are parts of the run: together they are the run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.runs import finished_run, quiet_record
from trading_lib.domain.decision.signals import REGIME_CODES, MarketRegime
from trading_lib.performance.metrics.formulas import max_drawdown, sharpe_ratio
from trading_lib.performance.metrics.measure import measure
from trading_lib.performance.periods import (
    by_regime,
    by_year,
    monthly_returns,
    rolling_sharpe,
    rolling_volatility,
)


def test_years_multiply_to_the_run_and_their_parts_add_up() -> None:
    result, record = finished_run()
    years = by_year(record)
    assert [year.year for year in years] == [2021, 2022]
    assert np.prod([1 + year.total_return for year in years]) == pytest.approx(record.nav[-1] / record.nav[0])
    assert sum(year.sessions for year in years) == len(record.nav) - 1
    assert sum(year.trades for year in years) == len(result.fills)
    assert max(year.max_risk_level for year in years) == record.levels.max()


def test_a_year_is_measured_from_the_last_value_before_it() -> None:
    _, record = finished_run()
    last = by_year(record)[-1]
    start = int(np.searchsorted(record.sessions, np.datetime64("2022-01-01")))
    nav = record.nav[start - 1 :]
    returns = nav[1:] / nav[:-1] - 1
    assert last.total_return == pytest.approx(nav[-1] / nav[0] - 1)
    assert last.max_drawdown == max_drawdown(nav)
    assert last.annual_volatility == pytest.approx(returns.std(ddof=1) * np.sqrt(252))
    assert last.sharpe == sharpe_ratio(returns, np.nan_to_num(record.cash_rate[start - 1 : -1]))
    assert last.average_invested == pytest.approx(record.invested[start:].mean())
    fills = [fill for fill in record.fills if fill.session.year == 2022]
    traded = sum(float(fill.quantity * fill.price) for fill in fills)
    assert last.monthly_turnover == pytest.approx(traded / 2 / nav.mean() / (len(returns) / 21), rel=1e-6)
    slippage = sum(float(abs(f.price - f.reference_price) * f.quantity) for f in fills)
    costs = sum(float(fill.commission) for fill in fills) + slippage
    assert last.cost_drag == pytest.approx(costs / nav.mean(), rel=1e-3)


def test_costs_of_the_years_are_those_of_the_run() -> None:
    _, record = finished_run()
    drag = measure(record.nav, record.fills, record.cash_rate)["annual_cost_drag"]
    assert drag
    years = by_year(record)
    starts = [0, years[0].sessions]
    averages = [record.nav[start : start + year.sessions + 1].mean() for start, year in zip(starts, years, strict=True)]
    paid = sum(year.cost_drag * average for year, average in zip(years, averages, strict=True))
    assert paid == pytest.approx(drag * record.nav.mean() * (len(record.nav) - 1) / 252, rel=1e-3)


def test_regimes_multiply_to_the_run() -> None:
    _, record = finished_run()
    found = by_regime(record)
    assert len(found) >= 2
    assert np.prod([1 + regime.total_return for regime in found]) == pytest.approx(record.nav[-1] / record.nav[0])
    assert sum(regime.share for regime in found) == pytest.approx(1.0)


def test_a_return_belongs_to_the_regime_of_the_decision_before_it() -> None:
    nav = np.array([100.0, 90.0, 99.0, 99.0])
    extreme, normal = REGIME_CODES[MarketRegime.EXTREME], REGIME_CODES[MarketRegime.NORMAL]
    regimes = np.array([extreme, normal, normal, extreme], dtype=np.int8)
    record = quiet_record(4, nav=nav, regimes=regimes, invested=np.array([0.5, 0.2, 0.4, 0.9]))
    calm, wild = by_regime(record)
    assert (calm.regime, wild.regime) == (MarketRegime.NORMAL, MarketRegime.EXTREME)
    assert (calm.sessions, wild.sessions) == (2, 1)
    assert wild.total_return == pytest.approx(-0.10)
    assert calm.total_return == pytest.approx(0.10)
    assert calm.annual_return == pytest.approx(1.10 ** (252 / 2) - 1)
    assert calm.average_invested == pytest.approx(0.3)
    assert wild.worst_session == pytest.approx(-0.10)


def test_months_by_hand() -> None:
    days = np.array(["2023-11-29", "2023-11-30", "2023-12-01", "2024-02-01"], dtype="datetime64[D]")
    years, table = monthly_returns(days, np.array([100.0, 110.0, 99.0, 198.0]))
    assert years == (2023, 2024)
    assert table[0, 10] == pytest.approx(0.10)
    assert table[0, 11] == pytest.approx(-0.10)
    assert table[1, 1] == pytest.approx(1.0)
    assert np.isnan(table).sum() == 21


def test_months_multiply_to_the_years() -> None:
    _, record = finished_run()
    years, table = monthly_returns(record.sessions, record.nav)
    for year, returns, expected in zip(years, table, by_year(record), strict=True):
        assert year == expected.year
        assert np.nanprod(1 + returns) == pytest.approx(1 + expected.total_return)


def test_a_single_session_has_no_periods() -> None:
    record = quiet_record(1)
    assert by_year(record) == ()
    assert by_regime(record) == ()
    assert monthly_returns(record.sessions, record.nav)[0] == ()


def test_rolling_figures_are_the_metrics_of_each_window() -> None:
    generator = np.random.default_rng(3)
    returns, rate = generator.normal(0, 0.01, 80), generator.uniform(0, 0.05, 80)
    volatility, ratio = rolling_volatility(returns, 21), rolling_sharpe(returns, rate, 21)
    assert np.isnan(volatility[:20]).all()
    assert np.isnan(ratio[:20]).all()
    for end in (20, 47, 79):
        window = slice(end - 20, end + 1)
        assert volatility[end] == pytest.approx(returns[window].std(ddof=1) * np.sqrt(252))
        assert ratio[end] == pytest.approx(sharpe_ratio(returns[window], rate[window]))
    assert np.isnan(rolling_sharpe(returns[:5], rate[:5], 21)).all()
    assert np.isnan(rolling_sharpe(np.zeros(30), np.zeros(30), 21)).all()


def test_a_run_without_trades_has_a_table_too() -> None:
    (year,) = by_year(replace(quiet_record(30)))
    assert (year.trades, year.monthly_turnover, year.cost_drag, year.sharpe) == (0, 0.0, 0.0, None)

"""Time-weighted returns against published examples, and what must hold for any flows.

The examples are from the CFA Program Curriculum, Level I, Quantitative Methods, "Rates and Returns" (2024): the
dividend-paying stock of Exhibit 11, the fund of Exhibit 10, and Example 8, the Rhein Valley Superior Fund.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.runs import finished_run, quiet_record
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.metrics.formulas import max_drawdown
from trading_lib.performance.metrics.measure import measure
from trading_lib.performance.periods import by_regime, by_year, monthly_returns
from trading_lib.performance.time_weighted import capital_factors, flow_adjusted, time_weighted_return

# Value at the end of each year and what came at its beginning, after the value that the window starts with.
EXAMPLES = {
    # One share at 200; a year later it pays 5, which is spent, and one more is bought at 225; both end at 235 + 5.
    "dividend-paying stock": ([200.0, 230.0, 480.0], [0.0, 0.0, 225.0 - 5.0], [0.15, 480 / 450 - 1], 0.1076),
    "fund of Exhibit 10": ([100.0, 50.0, 1350.0, 1270.0], [0.0, 0.0, 950.0, -350.0], [-0.5, 0.35, 0.27], -0.05),
    "Rhein Valley": (
        [30.0, 34.5, 42.75, 22.0, 28.75, 36.05],
        [0.0, 0.0, 10.5, -22.75, 3.0, 6.25],
        [0.15, -0.05, 0.10, 0.15, 0.03],
        0.0732,
    ),
}
returns = st.lists(st.floats(-0.2, 0.25), min_size=2, max_size=40)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_published_examples_come_out(name: str) -> None:
    values, came, expected, annual = EXAMPLES[name]
    nav, flows = np.array(values), np.array(came)
    adjusted = flow_adjusted(nav, flows)
    assert adjusted[1:] / adjusted[:-1] - 1 == pytest.approx(expected, abs=1e-12)
    years = len(expected)
    # The first example rounds its second year to 6.67 % before it links.
    assert (1 + time_weighted_return(nav, flows)) ** (1 / years) - 1 == pytest.approx(annual, abs=1e-4)


def with_flows(earned: list[float], shares: list[float]) -> tuple[FloatArray, FloatArray]:
    """A book of 1,000 dollars that earns these returns while shares of it come and go at each opening."""
    nav, flows = [1000.0], [0.0]
    for rate, share in zip(earned, shares, strict=True):
        flows.append(share * nav[-1])
        nav.append((nav[-1] + flows[-1]) * (1 + rate))
    return np.array(nav), np.array(flows)


@given(returns, st.data())
def test_books_that_earn_the_same_have_the_same_returns_and_drawdowns_whatever_comes_and_goes(
    earned: list[float], data: st.DataObject
) -> None:
    shares = data.draw(st.lists(st.floats(-0.9, 3.0), min_size=len(earned), max_size=len(earned)))
    nav, flows = with_flows(earned, shares)
    plain, nothing = with_flows(earned, [0.0] * len(earned))
    assert flow_adjusted(nav, flows) == pytest.approx(plain)
    assert time_weighted_return(nav, flows) == pytest.approx(time_weighted_return(plain, nothing))
    assert max_drawdown(flow_adjusted(nav, flows)) == pytest.approx(max_drawdown(plain), abs=1e-9)


@given(returns, st.data())
def test_parts_of_a_window_link_to_the_whole(earned: list[float], data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.floats(-0.9, 3.0), min_size=len(earned), max_size=len(earned)))
    nav, flows = with_flows(earned, shares)
    cut = data.draw(st.integers(1, len(earned)))
    first = time_weighted_return(nav[: cut + 1], flows[: cut + 1])
    second = time_weighted_return(nav[cut:], flows[cut:]) if cut < len(earned) else 0.0
    assert (1 + first) * (1 + second) == pytest.approx(1 + time_weighted_return(nav, flows))


def test_without_flows_it_is_the_net_asset_value_itself() -> None:
    nav = np.array([100.0, 101.0, 99.5])
    assert flow_adjusted(nav, None) is nav
    assert flow_adjusted(nav, np.zeros(3)) is nav
    assert capital_factors(nav, np.zeros(3)).tolist() == [1.0, 1.0, 1.0]


def test_every_figure_of_a_run_is_the_same_with_capital_that_earned_the_same() -> None:
    record = finished_run()[1]
    share = np.zeros(len(record.nav))
    share[[20, 120]] = 0.5, -0.4
    factors = np.cumprod(1 + share)
    flows = np.r_[0.0, share[1:] * record.nav[:-1] * factors[:-1]]
    grown = replace(record, nav=record.nav * factors, flows=flows)
    assert grown.adjusted_nav == pytest.approx(record.nav)
    plain, moved = (measure(one.nav, one.fills, one.cash_rate, one.flows) for one in (record, grown))
    for name in ("annual_return", "annual_volatility", "sharpe", "max_drawdown", "calmar"):
        assert moved[name] == pytest.approx(plain[name]), name
    assert moved["final_nav"] == pytest.approx(plain["final_nav"] * 1.5 * 0.6)
    for before, after in zip(by_year(record), by_year(grown), strict=True):
        assert after.total_return == pytest.approx(before.total_return)
        assert after.max_drawdown == pytest.approx(before.max_drawdown)
    for calm, same in zip(by_regime(record), by_regime(grown), strict=True):
        assert same.total_return == pytest.approx(calm.total_return)
    assert monthly_returns(grown.sessions, grown.adjusted_nav)[1] == pytest.approx(
        monthly_returns(record.sessions, record.nav)[1], nan_ok=True
    )


def test_a_deposit_alone_is_no_return() -> None:
    nav, flows = np.full(30, 1000.0), np.zeros(30)
    nav[10:] = 1500.0
    flows[10] = 500.0
    record = quiet_record(nav=nav, flows=flows)
    assert not record.returns.any()
    assert measure(record.nav, (), record.cash_rate, record.flows)["annual_return"] == 0.0

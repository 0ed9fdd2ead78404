"""A sweep walked forward: what is compared with what, what counts as a trial, and figures that can be done again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.builders.markets import CALENDAR
from tests.builders.settings import make_settings
from trading_lib.domain.errors import InputError
from trading_lib.performance.metrics.measure import measure
from trading_lib.workflows.research.sweep.grid import GridPoint, expand_grid
from trading_lib.workflows.research.sweep.point import FAILED, OK, PointResult
from trading_lib.workflows.research.sweep.run import SweepResult
from trading_lib.workflows.research.sweep.walk_forward import DEFAULT, Plan, point_name, switch_cost, walk, with_default
from trading_lib.workflows.setup.configuration import SystemConfiguration

FIRST, LAST = date(2015, 1, 2), date(2018, 12, 31)
SESSIONS = CALENDAR.between(FIRST, LAST)
OUTSIDE = int(np.searchsorted(SESSIONS, np.datetime64("2017-01-02"), side="right")) - 1
RATE = np.full(len(SESSIONS), 0.01)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> SystemConfiguration:
    return make_settings("", tmp_path_factory.mktemp("walk")).configuration


def curve(seed: int, drift: float = 0.0003) -> np.ndarray:
    common = np.random.default_rng(0).normal(drift, 0.006, len(SESSIONS) - 1)
    own = np.random.default_rng(seed).normal(0.0, 0.002, len(SESSIONS) - 1)
    return np.r_[1e5, 1e5 * np.cumprod(1.0 + common + own)]


def done(number: int, nav: np.ndarray, config_hash: str = "", name: str = "", **values: float) -> PointResult:
    return PointResult(GridPoint(number, values, name), OK, "", config_hash or f"hash {number}", {}, nav)


def sweep_of(*results: PointResult) -> SweepResult:
    return SweepResult(results, "test", FIRST, LAST, SESSIONS, RATE)


def test_the_configuration_as_it_stands_joins_the_points() -> None:
    grid = expand_grid({"risk.target_volatility": [0.1, 0.2]})
    points = with_default(grid)
    assert points[:2] == grid
    assert (points[2].number, dict(points[2].values), point_name(points[2])) == (2, {}, DEFAULT)
    assert with_default(points) == points
    assert point_name(points[0]) == "risk.target_volatility 0.1"


def test_figures_are_those_of_the_years_out_of_sample(configuration: SystemConfiguration) -> None:
    default, better = curve(1), curve(2, 0.0009)
    found = walk(
        sweep_of(done(0, better, name="mine"), done(1, default, configuration.config_hash)), configuration, Plan(2)
    )
    report = found.report
    assert (report["from"], report["to"], report["trials"]) == ("2016-12-30", "2018-12-31", 2)
    assert [(fold["to"], fold["name"]) for fold in report["folds"]] == [("2018-01-02", "mine"), ("2018-12-31", "mine")]
    expected = measure(better[OUTSIDE:], (), RATE[OUTSIDE:])
    own = next(point for point in report["points"] if point["name"] == "mine")
    for name in ("annual_return", "annual_volatility", "sharpe", "max_drawdown"):
        assert own[name] == pytest.approx(expected[name], rel=1e-9)
    usual = measure(default[OUTSIDE:], (), RATE[OUTSIDE:])
    assert report["default"]["sharpe"] == pytest.approx(usual["sharpe"])
    assert own["difference"]["value"] == pytest.approx(expected["sharpe"] - usual["sharpe"])
    assert own["difference"]["low"] > 0
    assert own["years_ahead"] == 2
    # The choice is the better one in both years; what differs is the cost of having switched to it.
    assert report["switches"] == 1
    paid = report["chosen_yearly"]["annual_return"]
    assert paid < own["annual_return"]
    assert (1 + paid) / (1 + own["annual_return"]) == pytest.approx((1 - report["switch_cost"]) ** 0.5, abs=2e-4)


def test_curves_begin_at_one_and_the_picture_shows_them(configuration: SystemConfiguration) -> None:
    sweep = sweep_of(done(0, curve(2, 0.0009), name="mine"), done(1, curve(1), configuration.config_hash))
    found = walk(sweep, configuration, Plan(2))
    assert list(found.curves) == ["chosen every year", DEFAULT, "mine (known best only afterwards)"]
    assert all(values[0] == 1.0 and len(values) == len(found.sessions) for values in found.curves.values())
    assert found.curves[DEFAULT][-1] == pytest.approx(curve(1)[-1] / curve(1)[OUTSIDE])
    assert str(found.sessions[0]) == found.report["from"]
    assert found.picture().startswith(b"\x89PNG")
    assert found.picture() != replace(found, curves={DEFAULT: found.curves[DEFAULT]}).picture()


def test_a_trial_is_a_configuration_that_ran(configuration: SystemConfiguration) -> None:
    failed = PointResult(GridPoint(3, {}), FAILED, "it broke")
    default, twin = done(0, curve(1), configuration.config_hash), done(1, curve(1), configuration.config_hash)
    other = [done(number, curve(number)) for number in (4, 5, 6)]
    one = walk(sweep_of(default, twin, failed, other[0]), configuration, Plan(2)).report
    assert (one["trials"], len(one["points"])) == (2, 2)
    many = walk(sweep_of(default, *other), configuration, Plan(2)).report
    assert many["trials"] == 4
    same = one["points"][-1]["difference"], many["points"][1]["difference"]
    assert same[0]["value"] == pytest.approx(same[1]["value"])
    assert same[0]["adjusted_p_value"] < same[1]["adjusted_p_value"]
    assert many["chosen_yearly"]["deflated_sharpe"] < 1.0


def test_without_the_configuration_as_it_stands_there_is_nothing_to_compare_with(
    configuration: SystemConfiguration,
) -> None:
    with pytest.raises(InputError, match=r"did not run \(it broke\)"):
        walk(sweep_of(done(0, curve(1)), PointResult(GridPoint(1, {}), FAILED, "it broke")), configuration, Plan(2))


def test_a_plan_that_cannot_be_followed_is_refused_before_the_sweep(tmp_path: Path) -> None:
    Plan(2).check(SESSIONS)
    with pytest.raises(InputError, match="nothing out of sample"):
        Plan(4).check(SESSIONS)
    with pytest.raises(InputError, match="does not exist"):
        Plan(2, picture=tmp_path / "none" / "picture.png").check(SESSIONS)


def test_a_switch_costs_a_whole_sale_and_purchase(configuration: SystemConfiguration) -> None:
    """Bitcoin is the dearest to trade: 0.10 % commission and 0.15 % slippage (docs/specification.md#costs)."""
    assert switch_cost(configuration.universe) == pytest.approx(0.005)

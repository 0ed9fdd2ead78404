"""How large a sweep may be, what its grid may hold, and what its results say about the grid."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.workflows.research.sweep.effects import (
    commonest_reason,
    effect_lines,
    effect_report,
    keys_without_effect,
)
from trading_lib.workflows.research.sweep.grid import expand_grid, load_grid
from trading_lib.workflows.research.sweep.limits import SweepConfig, check_size, duration, grid_size, load_limits

WINDOW = date(2015, 1, 2), date(2019, 12, 31)
LIMITS = SweepConfig(most_points=100, most_points_confirmed=1000, session_seconds=0.001)


def test_576_million_points_are_counted_and_refused_without_making_one() -> None:
    grid = {f"risk.key_{k}": list(range(24_000)) for k in range(2)}
    assert grid_size(grid) == 576_000_000
    with pytest.raises(InputError, match=r"576,000,000 points, about 11 years with 2 at once; at most 100 are run"):
        expand_grid(grid, check_count=lambda count: check_size(count, *WINDOW, LIMITS, processes=2))


def test_a_larger_grid_is_run_when_asked_for_up_to_the_upper_bound() -> None:
    check_size(100, *WINDOW, LIMITS)
    with pytest.raises(InputError, match="or go on with --max-points 101"):
        check_size(101, *WINDOW, LIMITS)
    check_size(101, *WINDOW, LIMITS, asked=101)
    with pytest.raises(InputError, match="at most 1,000 points can be asked for, not 1,001"):
        check_size(101, *WINDOW, LIMITS, asked=1001)
    with pytest.raises(InputError, match=r"leave out values$"):
        check_size(1001, *WINDOW, LIMITS)


def test_limits_come_from_the_configuration_and_a_folder_without_them_has_the_usual_ones(tmp_path: Path) -> None:
    assert load_limits({"TRADING_SWEEP__MOST_POINTS": "7"}).most_points == 7
    assert load_limits({"TRADING_CONFIG": str(tmp_path)}) == SweepConfig()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 seconds"), (90, "90 seconds"), (7200, "2 hours"), (1e9, "32 years")]
)
def test_durations_are_told_in_the_unit_of_a_person(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("values", [[0.1, 0.2, 0.1], [{"trend": 1.0}, {"trend": 1.0}], [True, True]])
def test_a_value_that_is_listed_twice_is_named(values: list[object]) -> None:
    with pytest.raises(ConfigurationError, match=r"risk\.key lists .* twice: keep one of each"):
        expand_grid({"risk.key": values})


def test_a_key_that_stands_twice_in_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text("risk.target_volatility: [0.1]\nrisk.target_volatility: [0.2]\n")
    with pytest.raises(ConfigurationError, match="stands twice in it"):
        load_grid(path)


def test_part_of_a_grid_is_numbered_as_in_the_whole() -> None:
    grid = {"risk.a": [1, 2, 3], "risk.b": [4, 5]}
    assert expand_grid(grid, start=2, stop=4) == expand_grid(grid)[2:4]


def test_a_key_without_effect_is_one_that_changed_no_result_while_the_others_stood_still() -> None:
    found = [({"a": a, "b": b}, b * 10) for a in (1, 2) for b in (3, 4)]
    assert keys_without_effect(found) == ["a"]
    report = effect_report(found)
    assert report == {"all_equal": False, "without_effect": ["a"]}
    assert effect_lines(report, 4) == ["no effect: whatever a was, the results were the same"]


def test_a_key_that_matters_in_one_place_has_an_effect() -> None:
    found = [({"a": a, "b": b}, a if b == 4 else 0) for a in (1, 2) for b in (3, 4)]
    assert keys_without_effect(found) == []


def test_a_key_nobody_could_compare_is_not_blamed() -> None:
    """Each point differs from every other in both keys, so that neither stood still."""
    assert keys_without_effect([({"a": 1, "b": 1}, 0), ({"a": 2, "b": 2}, 0)]) == []


def test_points_that_are_all_alike_are_told_with_their_keys() -> None:
    report = effect_report([({"a": 1}, "x"), ({"a": 2}, "x")])
    assert "all 2 finished points came to the same result; a changed nothing" in effect_lines(report, 2)[0]
    assert effect_report([({"a": 1}, "x")]) == {"all_equal": False, "without_effect": []}


def test_reasons_that_differ_in_a_number_count_as_one() -> None:
    assert commonest_reason(["got -1", "other", "got -2"]) == ("got -1", 2)

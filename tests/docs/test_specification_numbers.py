"""The tables of the specification hold the numbers that ship: one that changes has to change in both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.links import SPECIFICATION

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?: %)?")


@pytest.fixture(scope="module")
def specification(repository_root: Path) -> str:
    return (repository_root / SPECIFICATION).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped(repository_root: Path) -> dict[str, Any]:
    folder = repository_root / "include" / "config"
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yaml")}


def table_of(specification: str, heading: str) -> list[list[str]]:
    """Rows of the first table below a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", specification, flags=re.MULTILINE)[1]
    rows = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    assert rows is not None, f"no table below {heading}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.group().splitlines()[2:]]


def number(cell: str) -> float:
    """The first number of a cell; per cent as a fraction."""
    found = NUMBER.search(cell)
    assert found is not None, cell
    value = float(found.group().removesuffix(" %").replace(",", ""))
    return round(value / 100, 9) if found.group().endswith("%") else value


def test_universe(specification: str, shipped: dict[str, Any]) -> None:
    stated = {
        symbol: (number(weight), number(volatility))
        for symbols, weight, volatility in table_of(specification, "Universe")
        for symbol in symbols.split(", ")
    }
    instruments = shipped["universe"]["instruments"]
    assert stated == {i["symbol"]: (i["max_weight"], i["volatility_target"]) for i in instruments}


def test_costs(specification: str, shipped: dict[str, Any]) -> None:
    etfs, bitcoin = [tuple(number(cell) for cell in row[1:]) for row in table_of(specification, "Costs")]
    for instrument in shipped["universe"]["instruments"]:
        own = instrument["commission_rate"], instrument["slippage_rate"], instrument["lot_size"]
        assert own == (bitcoin if instrument["asset_class"] == "CRYPTO" else etfs)


def test_regimes(specification: str, shipped: dict[str, Any]) -> None:
    bounds = [number(row[0]) for row in table_of(specification, "Market regime")]
    regime = shipped["strategy"]["regime"]
    assert bounds == [regime["elevated"], regime["elevated"], regime["high"], regime["extreme"]]


def test_risk_levels(specification: str, shipped: dict[str, Any]) -> None:
    rows, levels = table_of(specification, "Risk levels")[1:], shipped["risk"]["levels"]
    assert [number(row[1]) for row in rows] == levels["drawdowns"]
    assert [number(row[2]) for row in rows[1:3]] == levels["reductions"][1:3]
    assert number(rows[0][3]) == levels["level_1_minimum_confidence"]


def test_stops(specification: str, shipped: dict[str, Any]) -> None:
    reduce, close = [number(row[0]) for row in table_of(specification, "Asset stops")]
    for instrument in shipped["universe"]["instruments"]:
        assert instrument["stop_exit"] == close
        assert instrument["stop_reduce"] == (None if instrument["asset_class"] == "CRYPTO" else reduce)


def test_correlations(specification: str, shipped: dict[str, Any]) -> None:
    bounds = [number(row[1]) for row in table_of(specification, "Correlations")]
    correlation = shipped["risk"]["correlation"]
    assert bounds == [correlation[key] for key in ("pair_warning", "average_floor_1", "every_pair_floor_2")]
    assert bounds[0] == shipped["strategy"]["constraints"]["pair_correlation"]


def test_daily_limits(specification: str, shipped: dict[str, Any]) -> None:
    orders = shipped["execution"]["orders"]
    keys = ("rebalance_threshold", "min_trade_value", "max_daily_trades", "max_daily_turnover", "cash_buffer")
    assert [number(row[1]) for row in table_of(specification, "Daily limits")] == [orders[key] for key in keys]


def test_performance_targets(specification: str, shipped: dict[str, Any]) -> None:
    stated = [
        (number(target), number(minimum)) for _, target, minimum in table_of(specification, "Performance targets")
    ]
    assert stated == [(bound["target"], bound["minimum"]) for bound in shipped["performance"]["targets"].values()]


def test_stress_limits(specification: str, shipped: dict[str, Any]) -> None:
    stated = [number(row[1]) for row in table_of(specification, "Stress tests")]
    assert stated == [scenario["limit"] for scenario in shipped["stress"]["scenarios"].values()]

"""Twenty and more vendors' shapes of one market: each gives the canonical folder's value, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.builders.settings import make_settings
from tests.cases.vendor_files import SHAPES, SYMBOLS, Bars, Shape, canonical, market, prices_alone, split_adjusted
from trading_lib.domain.errors import InputError
from trading_lib.workflows.research.backtest import BacktestRun, backtest

WINDOW = (date(2015, 2, 2), date(2016, 6, 30))
# Dividends that follow from an adjusted close carry its rounding.
DOLLAR = 1.0


@pytest.fixture(scope="module", name="bases")
def fixture_bases() -> dict[str, Bars]:
    bars = market()
    return {"raw": bars, "split": split_adjusted(bars), "alone": prices_alone(bars)}


@pytest.fixture(scope="module", name="run")
def fixture_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], BacktestRun]:
    settings = make_settings("", tmp_path_factory.mktemp("home"))
    return lambda folder: backtest(settings, *WINDOW, folder)


@pytest.fixture(scope="module", name="expected")
def fixture_expected(
    tmp_path_factory: pytest.TempPathFactory, bases: dict[str, Bars], run: Callable[[Path], BacktestRun]
) -> dict[str, float]:
    values = {}
    for basis, bars in bases.items():
        folder = tmp_path_factory.mktemp(basis)
        canonical(folder, bars)
        values[basis] = float(run(folder).report["final_nav"])
    return values


def write(folder: Path, shape: Shape, bars: Bars) -> None:
    canonical(folder, bars, tuple(symbol for symbol in SYMBOLS if symbol not in shape.covers))
    shape.write(folder, bars)


def accept_prices_alone(folder: Path) -> None:
    entries = [{"file": path.name, "dividends": "none"} for path in sorted(folder.iterdir())]
    (folder / "dataset.yaml").write_text(yaml.safe_dump({"prices": entries}))


def test_the_three_markets_are_traded_and_differ(expected: dict[str, float]) -> None:
    assert len({round(value) for value in expected.values()}) == 3
    assert abs(expected["raw"] - expected["split"]) < 0.01 * expected["raw"]
    assert expected["alone"] < expected["split"]


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if not shape.refused])
def test_a_vendors_files_give_the_canonical_value(
    name: str, tmp_path: Path, bases: dict[str, Bars], run: Callable[[Path], BacktestRun], expected: dict[str, float]
) -> None:
    shape = SHAPES[name]
    write(tmp_path, shape, bases[shape.basis])
    report = run(tmp_path).report
    assert report["final_nav"] == pytest.approx(expected[shape.basis], abs=DOLLAR)
    assert not set(SYMBOLS) & set(report["missing"]["symbols"])
    assert not report["missing"]["volatility_index"]


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.refused])
def test_what_a_vendor_leaves_out_is_refused_by_name_until_it_is_accepted(
    name: str, tmp_path: Path, bases: dict[str, Bars], run: Callable[[Path], BacktestRun], expected: dict[str, float]
) -> None:
    shape = SHAPES[name]
    write(tmp_path, shape, bases[shape.basis])
    with pytest.raises(InputError) as caught:
        run(tmp_path)
    assert shape.refused in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    if shape.accepted:
        accept_prices_alone(tmp_path)
        assert run(tmp_path).report["final_nav"] == pytest.approx(expected[shape.basis], abs=DOLLAR)

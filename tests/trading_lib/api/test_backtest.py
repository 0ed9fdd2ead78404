"""The same engine as the command line: figures, orders, fills and values are equal to the cent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import trading_lib as tl
from tests.builders.price_folder import write_price_folder
from tests.cases.own_strategies import Golden
from tests.environment.command_line import run

WINDOW = ("2017-06-01", "2018-06-29")
# What a report says of when and where it was made.
OF_THE_RUN = ("elapsed_seconds",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The data goes on after the window: nothing of it may reach the run.
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", date(2016, 1, 4), date(2018, 12, 31))


def by_command(out: Path, *options: str) -> dict[str, Any]:
    """Run the command line and return its report; the export lies beside it."""
    window = ("--from", WINDOW[0], "--to", WINDOW[1])
    assert run("backtest", *window, *options, "--no-track", "--out", f"{out}.json", "--export", str(out)) == 0
    report: dict[str, Any] = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    return report


def same(result: tl.BacktestResult, export: Path, report: dict[str, Any]) -> None:
    """Hold every cell of the four tables, and every figure of the report, against the command line's."""
    for name, frame in (
        ("nav", result.values.reset_index()),
        ("positions", result.positions),
        ("orders", result.orders),
        ("fills", result.fills),
    ):
        text = pd.read_csv(export / f"{name}.csv", dtype=str, keep_default_na=False)
        assert list(text.columns) == list(frame.columns)
        assert len(text) == len(frame)
        assert len(frame) > 0
        for column in frame:
            if pd.api.types.is_numeric_dtype(frame[column]):
                exact = [float(Decimal(cell)) for cell in text[column]]
                assert frame[column].tolist() == exact, (name, column)
            elif column in ("session", "filled_at"):
                assert frame[column].tolist() == pd.to_datetime(text[column]).tolist(), (name, column)
            else:
                assert frame[column].tolist() == text[column].tolist(), (name, column)
    mine = {key: value for key, value in result.report.items() if key not in OF_THE_RUN}
    assert mine == {key: value for key, value in report.items() if key not in OF_THE_RUN}


class TestParity:
    """With ``trading backtest --export`` on the same inputs."""

    def test_on_a_folder(self, folder: Path, tmp_path: Path) -> None:
        report = by_command(tmp_path / "export", "--data", str(folder))
        prices = tl.load_prices(folder)  # to the end of the data; the run reads no further than its window
        same(tl.backtest(prices, start=WINDOW[0], end=WINDOW[1]), tmp_path / "export", report)
        same(tl.backtest(str(folder), start=WINDOW[0], end=WINDOW[1]), tmp_path / "export", report)

    def test_on_the_simulated_market(self, tmp_path: Path) -> None:
        report = by_command(tmp_path / "export")
        same(tl.backtest(start=WINDOW[0], end=WINDOW[1]), tmp_path / "export", report)

    def test_with_sleeves_and_values(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = {"risk": {"target_volatility": 0.08}}
        result = tl.backtest(
            folder, {"trend": 0.7, "rotation": 0.3}, *WINDOW, config, initial_cash=Decimal("250000.50")
        )
        monkeypatch.setenv("TRADING_RISK__TARGET_VOLATILITY", "0.08")
        monkeypatch.setenv("TRADING_EXECUTION__INITIAL_CASH", "250000.50")
        report = by_command(tmp_path / "export", "--data", str(folder), "--sleeves", "trend=0.7,rotation=0.3")
        same(result, tmp_path / "export", report)

    def test_with_flows(self, folder: Path, tmp_path: Path) -> None:
        moved = tmp_path / "flows.csv"
        moved.write_text("session,amount\n2017-09-01,25000\n2018-03-01,-10000.50\n", encoding="utf-8")
        report = by_command(tmp_path / "export", "--data", str(folder), "--flows", str(moved))
        result = tl.backtest(folder, None, *WINDOW, flows=moved)
        same(result, tmp_path / "export", report)
        assert result.values["flow"].sum() == 14999.5

    def test_with_a_strategy_from_a_file(self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = Path(__file__).parents[2] / "cases" / "own_strategies.py"
        reference = f"{source}:Golden"
        sleeves = {"golden": {"strategy": reference, "budget": 1.0}}
        result = tl.backtest(folder, reference, *WINDOW)
        monkeypatch.setenv("TRADING_STRATEGY__SLEEVES", json.dumps(sleeves))
        report = by_command(tmp_path / "export", "--data", str(folder))
        same(result, tmp_path / "export", report)
        monkeypatch.delenv("TRADING_STRATEGY__SLEEVES")
        given = tl.backtest(folder, Golden(), *WINDOW)
        pd.testing.assert_frame_equal(given.values, result.values)
        pd.testing.assert_frame_equal(given.fills, result.fills)


def test_errors_have_the_command_lines_words(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cases: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
        (("--from", "2030-01-02", "--to", "2030-02-01"), {"start": "2030-01-02", "end": "2030-02-01"}),
        (("--from", "2018-01-02", "--to", "2017-01-03"), {"start": "2018-01-02", "end": "2017-01-03"}),
        (("--from", "2018-1-2", "--to", "2018-02-01"), {"start": "2018-1-2", "end": "2018-02-01"}),
        (("--from", "2018-01-06", "--to", "2018-01-07"), {"start": "2018-01-06", "end": "2018-01-07"}),
    )
    for options, arguments in cases:
        assert run("backtest", *options, "--data", str(folder), "--no-track") == 2
        said = capsys.readouterr().err.strip().removeprefix("error: ")
        with pytest.raises(tl.TradingError) as raised:
            tl.backtest(folder, **arguments)
        assert str(raised.value) == said
        assert raised.value.exit_code == 2
    assert run("backtest", "--from", WINDOW[0], "--to", WINDOW[1], "--data", str(tmp_path / "no"), "--no-track") == 2
    said = capsys.readouterr().err.strip().removeprefix("error: ")
    with pytest.raises(tl.DataFileError) as missing:
        tl.backtest(tmp_path / "no", None, *WINDOW)
    assert str(missing.value) == said


def test_what_is_no_prices_is_told(prices: tl.Prices) -> None:
    with pytest.raises(tl.InputError, match="prices of type DataFrame are none"):
        tl.backtest(prices.bars)


def test_the_window_is_that_of_the_prices_unless_another_is_given(prices: tl.Prices) -> None:
    whole = tl.backtest(prices)
    assert (str(whole.start), str(whole.end)) == ("2018-01-02", "2018-12-31")
    part = tl.backtest(prices, end="2018-06-29")
    assert str(part.end) == "2018-06-29"
    # What comes later changes nothing of what was decided before it.
    pd.testing.assert_frame_equal(part.values, whole.values.loc[:"2018-06-29"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tl.backtest(flows=3), "flows of type int is no path"),
        (lambda: tl.sweep({"risk.target_volatility": [0.1]}, processes=0), "processes 0 is no number of processes"),
        (lambda: tl.stress(scenarios="nope"), "there is no scenario nope: use one of"),
    ],
)
def test_an_impossible_argument_is_named_before_anything_is_loaded(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(tl.InputError, match=message):
        call()

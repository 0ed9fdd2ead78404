"""``trading audit`` and ``trading explain`` as a user meets them: exit codes, text and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.builders.price_folder import write_price_folder
from tests.environment.command_line import run
from trading_lib.domain.market.market_view import FactorPanel
from trading_lib.domain.market.prices import PricePanel
from trading_lib.factors.calculator import calculate_factors
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.features.build import build_features
from trading_lib.learning.features.context import MarketContext
from trading_lib.workflows.books import nav_check

FIRST, LAST = date(2019, 1, 2), date(2021, 9, 30)
SHORT = ("--from", "2021-05-03", "--to", "2021-09-30")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("audit") / "prices", FIRST, LAST)


def test_a_clean_audit_says_what_was_compared(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "lookahead", "--data", str(prices), *SHORT, "--cuts", "5", "--seed", "2") == 0
    shown = capsys.readouterr()
    assert "files:prices data, 2021-05-03 to 2021-09-30: history cut at 5 of" in shown.out
    assert "27 features of models, history cut at 5 sessions" in shown.out
    assert "clean: nothing that was decided depends on what became known later" in shown.out
    assert "5 of 5 cuts compared, 0 findings" in shown.err


def test_a_peek_is_exit_code_one_with_culprit_date_and_both_values(
    prices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def peeking(panel: PricePanel) -> FactorPanel:
        factors = calculate_factors(panel)
        values = factors.values.copy()
        at = factors.names.index("RSI_14")
        values[at, :-1] = values[at, 1:]
        return replace(factors, values=values)

    monkeypatch.setattr("trading_lib.workflows.data.market.calculate_factors", peeking)
    assert run("audit", "lookahead", "--data", str(prices), *SHORT, "--cuts", "3", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["clean"]
    (found,) = report["findings"]
    assert (found["culprit"], found["layer"], found["name"]) == (True, "factor", "RSI_14")
    assert found["session"] == found["cut"] in report["cuts"]
    assert found["cuts"] == 3
    assert float(found["full"]) != float(found["known"])


def test_a_feature_that_peeks_is_exit_code_one_and_named(
    prices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def peeking(panel: PricePanel, factors: FactorPanel, context: MarketContext) -> FeaturePanel:
        features = build_features(panel, factors, context)
        values, at = features.values.copy(), features.names.index("momentum_63")
        values[at, :-1] = values[at, 1:]
        return replace(features, values=values)

    monkeypatch.setattr("trading_lib.workflows.learning.feature_audit.build_features", peeking)
    assert run("audit", "lookahead", "--data", str(prices), *SHORT, "--cuts", "2") == 1
    shown = capsys.readouterr().out
    assert "CULPRIT     feature momentum_63: 2021-0" in shown
    assert "clean:" not in shown


@pytest.mark.skipif(find_spec("vectorbt") is None, reason="vectorbt is not installed")
def test_other_software_comes_to_the_same_net_asset_value(
    prices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("audit", "nav", "--data", str(prices), *SHORT)
    assert run(*arguments, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agree"]
    assert report["fills"] > 0
    assert report["largest_difference"] < 1e-7
    right = nav_check.independent_nav
    monkeypatch.setattr(nav_check, "independent_nav", lambda data, result: right(data, result, result.fills[1:]))
    assert run(*arguments) == 1
    assert "THE ACCOUNTS DIFFER" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lookahead", "--cuts", "0"), "0 cuts compare nothing: ask for 1 or more"),
        (("lookahead", "--from", "2021-09-30", "--to", "2021-09-01"), "2021-09-30 to 2021-09-01 is inverted"),
        (("lookahead", "--from", "2021-02-30"), "'2021-02-30' is not a date"),
        (("lookahead", "--from", "2010-01-04"), "is not covered by the data (2019-01-02 to"),
        (("lookahead", "--from", "2021-09-30"), "there is one session only"),
        (("warmup", "--from", "2021-01-04"), "the warm-up audit needs more than 400"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    prices: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", *arguments, "--data", str(prices)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "lookahead", "--data", str(tmp_path / "absent")) == 2
    assert str(tmp_path / "absent") in capsys.readouterr().err


def test_the_warm_up_table_recommends_what_the_slowest_sleeve_needs(
    prices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", "warmup", "--data", str(prices), "--from", "2020-01-10", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    rows = {(row["kind"], row["name"]): row for row in report["rows"]}
    assert rows["factor", "SMA_200"]["tight"] == 200
    assert report["recommended_sessions"] == rows["sleeve", "rotation"]["loose"]
    assert rows["decision", "as configured"]["loose"] <= report["recommended_sessions"]


def test_an_explanation_reads_from_data_to_order(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("explain", "--session", "2021-06-30", "--symbol", "BTC-USD", "--data", str(prices))
    assert run(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Why BTC-USD (Bitcoin) in session 2021-06-30: recomputed by a backtest from 20")
    heads = [line[2:14].strip() for line in lines[1:] if line[2:14].strip()]
    assert list(dict.fromkeys(heads))[:13] == [
        "Data", "Factors", "Regime", "Signal", "Held", "Sleeve", "Blended", "Constraints", "Target", "Risk", "Limits",
        "Approved", "Order",
    ]  # fmt: skip
    assert "a new bar of 2021-06-29" in lines[1]
    assert run("explain", "--session", "2021-06-30", "--symbol", "DOGE", "--data", str(prices)) == 2
    assert "symbol 'DOGE' is not in the universe" in capsys.readouterr().err


def test_real_prices_come_out_clean(shared_market_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = ("--from", "2019-07-01", "--to", "2020-12-31")
    assert run("audit", "lookahead", "--data", str(shared_market_data), *window, "--cuts", "9", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["clean"]
    assert report["fills_checked"] > 3
    assert "carry" in report["sleeves"]
    assert np.unique(report["cuts"]).size == 9

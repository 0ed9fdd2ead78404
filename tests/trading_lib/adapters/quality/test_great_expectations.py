"""The suites in include/expectations through the real library, and its pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.prices import bars_of, price_rows, universe
from trading_lib.adapters.quality.expectation_suites import SUITES, Expectation, ExpectationSuite, load_suite
from trading_lib.adapters.quality.folder import read_folder
from trading_lib.adapters.quality.great_expectations import expectation_findings, write_data_docs
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.report import Severity

SESSIONS = [day.item() for day in exchange_sessions().sessions[-700:-690]]
DEFECTS = [
    ({"close": np.nan}, "not_finite_price"),
    ({"high": np.inf}, "not_finite_price"),
    ({"high": 98.0, "open": 98.0, "close": 98.0}, "high_below_low"),
    ({"close": 102.0}, "close_outside_range"),
    ({"open": 101.5}, "open_outside_range"),
    ({"low": 0.0}, "non_positive_price"),
    ({"high": 4e6 + 1.0}, "price_too_high"),
    ({"volume": -5.0}, "negative_volume"),
]


def bars_findings(frame: pd.DataFrame) -> list[tuple[str, object, Severity]]:
    return [(f.rule, f.session, f.severity) for f in expectation_findings(load_suite("bars"), frame, "file")]


def test_sound_bars_pass() -> None:
    assert bars_findings(bars_of(price_rows("SPY", SESSIONS)).frame) == []


def test_each_defect_becomes_the_finding_that_the_gate_would_make() -> None:
    rows = [price_rows("SPY", [day], **columns) for day, (columns, _) in zip(SESSIONS, DEFECTS, strict=False)]
    twice = [price_rows("GLD", SESSIONS[:1])] * 2
    found = bars_findings(bars_of(*rows, *twice).frame)
    assert {(rule, day) for rule, day, _ in found} >= {
        (rule, day) for day, (_, rule) in zip(SESSIONS, DEFECTS, strict=False)
    }
    assert ("duplicate_bar", SESSIONS[0], Severity.ERROR) in found
    assert {severity for rule, _, severity in found if rule == "open_outside_range"} == {Severity.WARNING}


def test_the_volatility_index_and_macro_have_suites_of_their_own() -> None:
    index = bars_of(price_rows("^VIX", SESSIONS[:3], open=np.nan, volume=np.nan, close=20.0)).frame
    assert expectation_findings(load_suite("volatility_index"), index) == ()
    index.loc[1, "close"] = 900.0
    (finding,) = expectation_findings(load_suite("volatility_index"), index)
    assert (finding.rule, finding.value) == ("implausible_level", 900.0)
    macro = pd.DataFrame({"series": "DFF", "date": pd.to_datetime(["2022-06-01", "2022-06-01"]), "value": [1.0, 1.1]})
    found = expectation_findings(load_suite("macro"), macro)
    assert {(f.symbol, f.rule) for f in found} == {("DFF", "repeated_observation")}


def test_a_suite_that_cannot_run_says_why() -> None:
    frame = bars_of(price_rows("SPY", SESSIONS)).frame
    with pytest.raises(ConfigurationError, match='"volume"'):
        expectation_findings(load_suite("bars"), frame.drop(columns="volume"))
    wrong = ExpectationSuite("bars", (Expectation("expect_nonsense", {}, "x", Severity.ERROR),))
    with pytest.raises(ConfigurationError, match="unknown expectation expect_nonsense"):
        expectation_findings(wrong, frame)


def test_pages_show_what_failed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    price_rows("SPY", SESSIONS).drop(columns="adjustment").to_csv(data / "sound.csv", index=False)
    price_rows("GLD", SESSIONS, close=500.0).drop(columns="adjustment").to_csv(data / "unsound.csv", index=False)
    page = write_data_docs(read_folder(data, universe(), SESSIONS[-1]), tmp_path / "pages")
    assert page.is_file()
    assert {path.name for path in (tmp_path / "pages").iterdir()} >= {"index.html", "validations"}
    text = page.read_text(encoding="utf-8")
    assert "sound" in text
    results = [path.read_text(encoding="utf-8") for path in (tmp_path / "pages" / "validations").rglob("*.html")]
    assert len(results) == 2
    assert sum("Failed" in result and "unsound" in result for result in results) == 1
    with pytest.raises(InputError, match="is a file"):
        write_data_docs(read_folder(data, universe(), SESSIONS[-1]), data / "sound.csv")


class TestSuiteFiles:
    """include/expectations/*.yaml."""

    @pytest.mark.parametrize("name", SUITES)
    def test_each_is_there(self, name: str) -> None:
        assert load_suite(name).expectations

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("- [", "no valid YAML"),
            ("name: bars", "lists no expectations"),
            ("expectations: [{type: x}]", "entry 1 is no expectation"),
            ("expectations: [{type: x, kwargs: {}, rule: y, severity: LOUD}]", "severity 'LOUD'"),
        ],
    )
    def test_a_broken_one_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
    ) -> None:
        (tmp_path / "expectations").mkdir()
        monkeypatch.setenv("TRADING_INCLUDE", str(tmp_path))
        with pytest.raises(ConfigurationError, match=r"bars\.yaml does not exist"):
            load_suite("bars")
        (tmp_path / "expectations" / "bars.yaml").write_text(text)
        with pytest.raises(ConfigurationError, match=problem):
            load_suite("bars")

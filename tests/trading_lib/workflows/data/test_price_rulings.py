"""A suspected split from the file to the operator's decision, in the database and in a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import NOW, make_settings
from tests.environment.database import MakeDatabase
from trading_lib.adapters.sources.files.rulings import read_rulings
from trading_lib.adapters.stores.market.ruling_store import RulingStore
from trading_lib.cli import main
from trading_lib.domain.errors import DataFileError, InputError
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.validation.completeness import MISSING_RULES
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.folder_quality import validate_folder
from trading_lib.workflows.data.price_rulings import open_and_recorded, record_ruling
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import run_daily
from trading_lib.workflows.trade.summary import render, session_summary

FIRST, LAST = date(2021, 1, 4), date(2022, 3, 31)
SPLIT_DAY = date(2022, 3, 28)
SOURCE = "files:prices"


def halve(folder: Path, symbol: str = "XLK", stated: bool = False) -> None:
    """Split ``symbol`` 2:1 on the day; only a stated split is in the file."""
    prices = pd.read_parquet(folder / "prices.parquet")
    rows = (prices["symbol"] == symbol) & (prices["date"] >= pd.Timestamp(SPLIT_DAY))
    prices.loc[rows, ["open", "high", "low", "close"]] /= 2
    prices.loc[rows, "volume"] *= 2
    prices["split"] = 1.0
    prices.loc[rows & (prices["date"] == pd.Timestamp(SPLIT_DAY)), "split"] = 2.0 if stated else 1.0
    prices.to_parquet(folder / "prices.parquet", index=False)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    folder = write_price_folder(tmp_path / "prices", FIRST, LAST)
    halve(folder)
    return folder


def ingest(settings: Settings, folder: Path, last: date = LAST) -> None:
    plan = market_data.plan(last.isoformat(), "files", str(folder), "demo", settings)
    fetching.ingest_history(plan, settings, last)


def stored(settings: Settings, symbol: str = "XLK") -> pd.DataFrame:
    store = market_store(settings, settings.engine())
    return store.read_bars(SOURCE, settings.clock() + timedelta(days=1), [symbol]).frame


@pytest.mark.postgres
def test_the_operator_decides_and_the_waiting_bars_are_judged_again(
    make_database: MakeDatabase, tmp_path: Path, folder: Path
) -> None:
    settings = make_settings(make_database(), tmp_path)
    ingest(settings, folder)
    assert stored(settings)["date"].max() < pd.Timestamp(SPLIT_DAY)
    (suspicion,) = open_and_recorded(settings)["open"]
    assert (suspicion["symbol"], suspicion["session"], suspicion["split"], suspicion["newest"]) == (
        "XLK", SPLIT_DAY.isoformat(), "2:1", LAST.isoformat(),
    )  # fmt: skip
    settings = replace(settings, clock=lambda: NOW + timedelta(hours=1))
    result = record_ruling("XLK", SPLIT_DAY, 2.0, False, "issuer's notice", "ada", None, settings)
    assert (result["accepted_bars"], result["still_open"]) == ({SOURCE: 4}, [])
    frame = stored(settings)
    assert frame["date"].max() == pd.Timestamp(LAST)
    assert frame.set_index("date")["split"][pd.Timestamp(SPLIT_DAY)] == 2.0
    # Known from the decision on, not from the session.
    late = frame[frame["date"] >= pd.Timestamp(SPLIT_DAY)]
    assert (late["available_at"] == pd.Timestamp(settings.clock())).all()
    (recorded,) = open_and_recorded(settings)["recorded"]
    assert (recorded["recorded_by"], recorded["note"], recorded["decision"]) == ("ada", "issuer's notice", "split 2:1")
    ingest(settings, folder)
    pd.testing.assert_frame_equal(stored(settings), frame)


@pytest.mark.postgres
def test_a_real_move_is_accepted_as_it_is_and_a_source_that_states_the_split_needs_nobody(
    make_database: MakeDatabase, tmp_path: Path, folder: Path
) -> None:
    settings = make_settings(make_database(), tmp_path)
    ingest(settings, folder)
    record_ruling("XLK", SPLIT_DAY, None, True, "", "ada", None, settings)
    assert (stored(settings)["split"] == 1).all()
    assert stored(settings)["date"].max() == pd.Timestamp(LAST)
    other = make_settings(make_database(), tmp_path)
    ingest(other, folder)
    rewritten = write_price_folder(tmp_path / "again" / "prices", FIRST, LAST)
    halve(rewritten, stated=True)
    ingest(other, rewritten)
    assert stored(other).set_index("date")["split"][pd.Timestamp(SPLIT_DAY)] == 2.0
    assert open_and_recorded(other)["open"] == []


@pytest.mark.postgres
def test_what_is_not_in_doubt_cannot_be_decided(make_database: MakeDatabase, tmp_path: Path, folder: Path) -> None:
    settings = make_settings(make_database(), tmp_path)
    ingest(settings, folder)
    for arguments, words in (
        (("SPY", SPLIT_DAY, 2.0, False), "no bar of SPY waits"),
        (("XLK", LAST, 2.0, False), "open: XLK 2022-03-28"),
        (("XLK", SPLIT_DAY, None, False), "not clear"),
        (("XLK", SPLIT_DAY, 2.0, True), "not clear"),
        (("XLK", SPLIT_DAY, -2.0, False), "not clear"),
    ):
        with pytest.raises(InputError, match=words):
            record_ruling(*arguments, "", "ada", None, settings)
    assert RulingStore(settings.engine()).recorded() == []


@pytest.mark.postgres
def test_sessions_a_book_has_decided_stay_out_and_its_split_comes_with_the_next_bar(
    make_database: MakeDatabase, tmp_path: Path, folder: Path
) -> None:
    settings = make_settings(make_database(), tmp_path)
    decided = date(2022, 3, 30)
    ingest(settings, folder, decided)
    run_daily(market_data.plan(decided.isoformat(), "files", str(folder), "demo", settings), settings, None)
    summary = session_summary("demo", decided.isoformat(), settings)
    (suspicion,) = summary["suspected_splits"]
    assert (suspicion["symbol"], suspicion["split"]) == ("XLK", "2:1")
    assert "XLK 2022-03-28 looks like an unstated 2:1 split" in render(summary)
    assert [order["symbol"] for order in summary["orders"] if order["side"] == "BUY"].count("XLK") == 0
    result = record_ruling("XLK", SPLIT_DAY, 2.0, False, "", "ada", None, settings)
    # A run for a past session has fetched the day after it as well.
    assert (result["accepted_bars"], result["still_open"]) == ({SOURCE: 1}, [])
    for _ in range(2):
        ingest(settings, folder)
        splits = stored(settings).set_index("date")["split"]
        assert splits[splits != 1].to_dict() == {pd.Timestamp(LAST): 2.0}
        assert pd.Timestamp(decided) not in splits.index


@pytest.mark.postgres
def test_the_command_lists_decides_and_explains_itself(
    make_database: MakeDatabase,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = make_settings(make_database(), tmp_path)
    ingest(settings, folder)
    assert settings.database_url is not None
    monkeypatch.setenv("TRADING_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["review-move", *arguments])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    assert run()[1].startswith("open      XLK 2022-03-28 (files:prices) looks like an unstated 2:1 split")
    assert run("--symbol", "XLK")[0] == 2
    assert run("--session", "2022-03-28")[0] == 2
    code, output = run("--symbol", "XLK", "--session", "2022-03-28", "--split", "2", "--note", "notice", "--json")
    assert (code, json.loads(output)["decision"]) == (0, "split 2:1")
    assert json.loads(run("--json")[1])["recorded"][0]["note"] == "notice"
    assert "decided   XLK 2022-03-28 split 2:1" in run()[1]


def test_a_folder_keeps_its_decisions_for_backtest_and_validate_alike(tmp_path: Path, folder: Path) -> None:
    settings = make_settings(None, tmp_path)
    universe = settings.configuration.universe
    found = validate_folder(folder, universe, settings.clock()).findings
    assert [f.rule for f in found if f.rule not in MISSING_RULES] == ["unstated_split"]
    run = backtesting.backtest(settings, date(2022, 2, 1), LAST, folder)
    (suspicion,) = run.report["suspected_splits"]
    assert (suspicion["symbol"], suspicion["session"], suspicion["split"]) == ("XLK", SPLIT_DAY.isoformat(), "2:1")
    assert "XLK 2022-03-28 looks like an unstated 2:1 split" in backtesting.tear_sheet(run).decode()
    assert suspicion["value_if_split"] == pytest.approx(2 * suspicion["value_if_real"], abs=0.02)
    (folder / "rulings.yaml").write_text(f"- {{symbol: XLK, session: {SPLIT_DAY}, split: 2, note: notice}}\n")
    found = validate_folder(folder, universe, settings.clock()).findings
    assert [f.rule for f in found if f.rule not in MISSING_RULES] == []
    ruled = backtesting.backtest(settings, date(2022, 2, 1), LAST, folder)
    assert (ruled.report["suspected_splits"], ruled.report["quarantined_bars"]) == ([], 0)
    (folder / "rulings.yaml").unlink()
    halved = write_price_folder(tmp_path / "stated" / "prices", FIRST, LAST)
    halve(halved, stated=True)
    stated = backtesting.backtest(settings, date(2022, 2, 1), LAST, halved)
    assert ruled.report["final_nav"] == stated.report["final_nav"]


def test_a_file_of_decisions_is_read_strictly(tmp_path: Path) -> None:
    assert read_rulings(tmp_path) == ()
    path = tmp_path / "rulings.yaml"
    two = ("{symbol: XLK, session: 2016-06-15, split: 2}", "{symbol: SLV, session: 2020-03-16, real_move: true}")
    path.write_text("".join(f"- {entry}\n" for entry in two))
    assert read_rulings(tmp_path) == (
        PriceRuling("XLK", date(2016, 6, 15), 2.0),
        PriceRuling("SLV", date(2020, 3, 16), None),
    )
    for text in (
        "symbol: XLK",
        "- XLK",
        "- {symbol: XLK, session: 2016-06-15}",
        "- {symbol: XLK, session: 2016-06-15, split: 2, real_move: true}",
        "- {symbol: XLK, session: 2016-06-15, split: 0}",
        "- {symbol: XLK, session: 2016-06-15, split: 1}",
        "- {symbol: XLK, session: soon, split: 2}",
        "- {symbol: XLK, session: 2016-06-15, splits: 2}",
        "- {symbol: [",
    ):
        path.write_text(text)
        with pytest.raises(DataFileError, match=r"rulings\.yaml"):
            read_rulings(tmp_path)


def test_a_decision_about_no_bar_of_the_folder_is_an_error(folder: Path, database_url: str, tmp_path: Path) -> None:
    (folder / "rulings.yaml").write_text("- {symbol: XLK, session: 2022-03-27, split: 2, note: a Sunday}\n")
    with pytest.raises(DataFileError, match=r"rulings\.yaml decides about XLK on 2022-03-27, of which there is no bar"):
        backtesting.backtest(make_settings(database_url, tmp_path), date(2021, 6, 1), LAST, folder)

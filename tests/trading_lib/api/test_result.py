"""What a backtest returns: tables, pictures, words, and nothing written that was not asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import trading_lib as tl
from trading_lib.api.tables import frame_of
from trading_lib.performance.metrics.table import METRICS
from trading_lib.workflows.research.export import Table

TEXT, NUMBER, DAY = "str", "float64", "datetime64[us]"
VALUES = {"nav": NUMBER, "drawdown": NUMBER, "invested": NUMBER, "risk_level": "int64", "regime": TEXT, "flow": NUMBER}
POSITIONS = {
    "session": DAY, "symbol": TEXT, "quantity": NUMBER, "held_weight": NUMBER, "wanted_weight": NUMBER,
    "allowed_weight": NUMBER,
}  # fmt: skip
ORDERS = {
    "client_order_id": TEXT, "session": DAY, "symbol": TEXT, "side": TEXT, "quantity": NUMBER,
    "expected_price": NUMBER, "estimated_commission": NUMBER, "weight_change": NUMBER, "purpose": TEXT, "reason": TEXT,
    "cancelled_quantity": NUMBER, "cancelled_because": TEXT, "denied_because": TEXT,
}  # fmt: skip
FILLS = {
    "trade_id": TEXT, "client_order_id": TEXT, "session": DAY, "filled_at": "datetime64[us, UTC]", "symbol": TEXT,
    "side": TEXT, "quantity": NUMBER, "price": NUMBER, "reference_price": NUMBER, "commission": NUMBER, "broker": TEXT,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kinds"), [("values", VALUES), ("positions", POSITIONS), ("orders", ORDERS), ("fills", FILLS)]
)
def test_tables_have_the_documented_columns(result: tl.BacktestResult, name: str, kinds: dict[str, str]) -> None:
    frame = getattr(result, name)
    assert len(frame) > 0
    assert frame.dtypes.astype(str).to_dict() == kinds
    assert not frame.isna().any().any()
    document = getattr(type(result), name).__doc__
    assert [column for column in kinds if column not in document] == []
    assert frame.attrs["units"].keys() - {"session"} == kinds.keys() - {"session"}


def test_a_table_without_rows_has_its_types() -> None:
    empty = frame_of(Table("orders", "nothing", dict.fromkeys(ORDERS, ""), []))
    assert empty.dtypes.astype(str).to_dict() == ORDERS


def test_values_are_indexed_by_session(result: tl.BacktestResult) -> None:
    assert result.values.index.name == "session"
    assert str(result.values.index.dtype) == DAY
    assert result.values.index[0] == pd.Timestamp("2018-01-02")
    assert len(result.values) == result.metrics["sessions"] == 251
    assert result.values["nav"].iloc[-1] == result.metrics["final_nav"]


def test_metrics_are_those_of_the_report(result: tl.BacktestResult) -> None:
    assert result.metrics["sharpe"] == result.report["sharpe"]
    assert result.metrics["max_drawdown"] == pytest.approx(result.values["drawdown"].max())
    assert set(METRICS) <= set(result.metrics)
    assert result.metrics["cvar_95"] == result.report["cvar_95"] > 0
    assert result.metrics["profit"] == pytest.approx(result.values["nav"].iloc[-1] - 100_000)
    assert json.loads(json.dumps(result.report)) == result.report


def test_the_words_say_data_dates_costs_and_simulation(result: tl.BacktestResult) -> None:
    assert repr(result) == (
        f"<BacktestResult: trend 50 + rotation 50 on SIMULATED prices, 2018-01-02 to 2018-12-31, costs included: "
        f"$100,000.00 to ${result.metrics['final_nav']:,.2f}, {result.metrics['annual_return']:.2%} a year, "
        f"Sharpe {result.metrics['sharpe']:.2f}, drawdown {result.metrics['max_drawdown']:.2%}>"
    )


def test_a_notebook_sees_a_picture_and_the_metrics(result: tl.BacktestResult) -> None:
    html = result._repr_html_()
    assert "src='data:image/png;base64,iVBORw0KGgo" in html
    assert "SIMULATED prices, 2018-01-02 to 2018-12-31, costs included" in html
    assert f"<td style='text-align:right'>${result.metrics['final_nav']:,.2f}</td>" in html
    assert f"CVaR, 95 %, one day</th><td style='text-align:right'>{result.metrics['cvar_95']:.2%}</td>" in html
    assert html.count("<tr>") == len(result.metrics)
    assert "<script" not in html


def test_what_ended_where(result: tl.BacktestResult) -> None:
    assert float(result.portfolio.nav) == result.metrics["final_nav"]
    assert isinstance(result.portfolio, tl.Portfolio)
    assert isinstance(result.risk, tl.RiskState)
    assert (str(result.start), str(result.end)) == ("2018-01-02", "2018-12-31")
    assert result.warnings == ()


def test_a_tear_sheet_is_a_page_and_a_file_where_asked(result: tl.BacktestResult, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    page = result.tear_sheet(path)
    assert page == path.read_text(encoding="utf-8") == result.tear_sheet()
    assert page.startswith("<!DOCTYPE html>")
    assert "simulated" in page.lower()
    assert result.report["confidence_intervals"]
    with pytest.raises(tl.InputError, match="does not exist: create it first"):
        result.tear_sheet(tmp_path / "no" / "sheet.html")


def test_pictures_and_exports_go_where_asked(result: tl.BacktestResult, tmp_path: Path) -> None:
    assert (tmp_path / "equity.png").exists() is False
    assert result.picture(tmp_path / "equity.png") == (tmp_path / "equity.png").read_bytes()
    folder = result.export(tmp_path / "export", "parquet")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "fills.parquet", "manifest.json", "nav.parquet", "orders.parquet", "positions.parquet",
    ]  # fmt: skip
    with pytest.raises(tl.InputError, match="there is no export format 'xls'"):
        result.export(tmp_path / "other", "xls")


def test_an_order_is_explained_as_the_terminal_does(result: tl.BacktestResult) -> None:
    order = result.orders.iloc[len(result.orders) // 2]
    found = result.explain(order["symbol"], order["session"])
    assert found.report["order"]["client_order_id"] == order["client_order_id"]
    assert str(found.report["order"]["reason"]) == order["reason"]
    fill = result.fills.set_index("client_order_id").loc[order["client_order_id"]]
    assert float(found.report["fill"]["price"]) == fill["price"]
    assert str(found).startswith(f"Why {order['symbol']} (")
    assert order["reason"] in str(found)
    assert repr(found) == str(found)


def test_what_cannot_be_explained_is_one_line(result: tl.BacktestResult) -> None:
    for symbol, session, message in (
        ("SPX", "2018-06-01", "SPX"),
        ("SPY", "2018-06-02", "2018-06-02 (Saturday) is no trading session"),
        ("SPY", "2019-06-03", "session 2019-06-03 is not of this run: choose one from 2018-01-02 to 2018-12-31"),
    ):
        with pytest.raises(tl.InputError) as raised:
            result.explain(symbol, session)
        assert message in str(raised.value)


def test_the_last_session_is_explained_without_a_look_ahead(result: tl.BacktestResult) -> None:
    assert result.explain("SPY", "2018-12-31").report["fill"] is None


WRITES = """
import sys, os
written = []
def watch(event, arguments):
    if event == "open" and not isinstance(arguments[0], int) and (
        set("wax+") & set(arguments[1] or "") or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    ):
        written.append(str(arguments[0]))
    elif event in ("os.mkdir", "os.rename", "sqlite3.connect", "socket.connect"):
        written.append(f"{event} {arguments[0]}")
sys.addaudithook(watch)
import trading_lib as tl
result = tl.backtest(start="2018-01-02", end="2018-02-28")
result.values, result.orders, result.fills, repr(result), result.explain("SPY", "2018-01-31"), result.tear_sheet()
tl.sweep({"risk.target_volatility": [0.1]}, start="2018-01-02", end="2018-02-28").points
print([path for path in written if "__pycache__" not in path and path != os.devnull])
"""


def test_nothing_is_written_that_was_not_asked_for(repository_root: Path, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(repository_root)}
    done = subprocess.run(
        [sys.executable, "-c", WRITES], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []

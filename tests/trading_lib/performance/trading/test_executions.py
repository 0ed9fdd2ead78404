"""What was cancelled, refused or filled in a thin market stands in the report, the terminal and the tear sheet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.markets import UNIVERSE
from tests.builders.orders import fill
from tests.builders.runs import finished_run, quiet_record
from trading_lib.domain.book.orders import Cancellation, Side
from trading_lib.performance.analysis import analyse
from trading_lib.performance.config import PerformanceConfig
from trading_lib.performance.report import report_analysis
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.tear_sheet.page import Provenance, tear_sheet
from trading_lib.performance.trading.executions import execution_lines, report_executions, thin_fills

DAY = date(2023, 1, 4)
REASON = "XLK 2023-01-04: the opening 4.01 is outside the bar's own low 39.9 and high 40.7"
CANCELLED = Cancellation("id", "XLK", Side.BUY, Decimal(499), DAY, REASON)


def record(volume: float, quantity: str = "20", symbol: str = "SPY") -> RunRecord:
    """A run with one fill, in a bar of this volume."""
    volumes = np.full((30, len(UNIVERSE)), 1e9)
    volumes[1, UNIVERSE.positions[symbol]] = volume
    at = datetime(2023, 1, 4, 14, 30, tzinfo=UTC)
    made = replace(fill(Side.BUY, symbol, quantity, "100"), session=DAY, filled_at=at)
    return quiet_record(30, fills=(made,), fill_volume=volumes)


@pytest.mark.parametrize(
    ("volume", "quantity", "thin"),
    [(0.0, "1", True), (1_999.0, "20", True), (2_000.0, "20", False), (np.nan, "20", False), (1e9, "20", False)],
)
def test_a_fill_beyond_the_share_of_its_bars_volume_is_named(volume: float, quantity: str, thin: bool) -> None:
    found = thin_fills(record(volume, quantity), 0.01)
    assert bool(found) is thin
    if thin:
        assert (found[0].symbol, found[0].day, found[0].quantity, found[0].volume) == (
            "SPY", DAY, Decimal(quantity), volume,
        )  # fmt: skip


def test_the_accepted_share_is_configured() -> None:
    assert thin_fills(record(2_000.0), 0.005)
    assert not thin_fills(record(100.0), 0.5)
    assert PerformanceConfig().volume_share == 0.01


def test_a_volume_that_was_never_read_is_not_judged() -> None:
    assert thin_fills(replace(record(0.0), fill_volume=None), 0.01) == ()


def whole() -> RunRecord:
    return replace(record(150.0), cancelled=(CANCELLED,), refused={"order value above max_order_notional": 1_022})


def test_the_report_lists_them() -> None:
    report = report_analysis(analyse(whole(), PerformanceConfig()))
    assert report["cancelled"] == [
        {"symbol": "XLK", "session": "2023-01-04", "side": "BUY", "quantity": 499.0, "reason": REASON}
    ]
    assert report["refused"] == {"count": 1_022, "by_reason": {"order value above max_order_notional": 1_022}}
    assert (report["thin_volume"]["count"], report["thin_volume"]["share"]) == (1, 0.01)
    (thin,) = report["thin_volume"]["fills"]
    assert (thin["symbol"], thin["day"], thin["quantity"], thin["volume"]) == ("SPY", "2023-01-04", 20.0, 150.0)


def test_the_terminal_says_how_many_and_which() -> None:
    lines = list(execution_lines(report_executions(whole(), 0.01)))
    assert lines == [
        "1 order cancelled, whole or in part",
        f"  {REASON}",
        "1,022 orders refused by the pre-trade checks",
        "  1,022: order value above max_order_notional",
        "WARNING: 1 fill beyond 1.00% of the bar's volume, which no market need have given",
        "  SPY 2023-01-04: BUY 20 against a volume of 150, 13.3% of it",
    ]
    nothing = "  SPY 2023-01-04: BUY 20 against a volume of 0"
    assert list(execution_lines(report_executions(record(0.0), 0.01)))[-1] == nothing


def test_a_long_list_is_cut_and_says_so() -> None:
    many = replace(quiet_record(30), cancelled=(CANCELLED,) * 8)
    lines = list(execution_lines(report_executions(many, 0.01)))
    assert lines[0] == "8 orders cancelled, whole or in part"
    assert lines[-1] == "  and 3 more, listed in the report (--out)"
    assert len(lines) == 7


def test_where_every_order_was_filled_the_terminal_is_silent() -> None:
    assert list(execution_lines(report_executions(quiet_record(30), 0.01))) == []


def test_the_tear_sheet_shows_them() -> None:
    analysis = analyse(whole(), PerformanceConfig())
    page = tear_sheet(analysis, Provenance("Backtest", "files:prices", "abc", "1.0"))
    for words in (
        "1 fill; 1 cancelled, whole or in part; 1,022 refused; 1 filled beyond 1.0% of the bar&#x27;s volume",
        "the opening 4.01 is outside the bar&#x27;s own low 39.9 and high 40.7",
        "1,022 orders refused by the pre-trade checks",
        "order value above max_order_notional",
        "Warning: 1 fill beyond 1.0% of the bar&#x27;s volume",
    ):
        assert words in page, words


def test_a_real_run_brings_its_own() -> None:
    result, finished = finished_run()
    assert finished.cancelled == result.cancelled
    assert finished.cancelled
    assert finished.fill_volume is not None
    assert finished.fill_volume.shape == finished.close.shape

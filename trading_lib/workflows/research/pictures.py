"""Pictures and tear sheet of a run, each drawn on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trading_lib.domain.market.missing_data import MissingData
from trading_lib.performance.analysis import Analysis
from trading_lib.performance.periods import monthly_returns
from trading_lib.performance.tear_sheet.charts import comparison_chart, equity_chart, monthly_chart
from trading_lib.workflows.data.suspected_splits import suspicion_line


def pictures(analysis: Analysis, report: Mapping[str, Any]) -> dict[str, Callable[[], bytes]]:
    """File name -> what draws it as PNG."""
    record = analysis.record
    title = f"Backtest on {report['data_source']} data, {report['from']} to {report['to']}"
    trials = f"{report['trials']} trial{'s' * (report['trials'] != 1)}"
    footer = f"costs included; {trials}; configuration {report['config_hash']}; code {report['code_version']}"
    curves = {
        "this run": record.adjusted_nav,
        **{name: comparison.values for name, comparison in analysis.comparisons.items()},
    }
    return {
        "equity_curve.png": lambda: equity_chart(record.sessions, record.adjusted_nav, record.levels, title, footer),
        "benchmarks.png": lambda: comparison_chart(record.sessions, curves, f"{title}, and benchmarks", footer),
        "monthly_returns.png": lambda: monthly_chart(
            *monthly_returns(record.sessions, record.adjusted_nav), title, footer
        ),
    }


def sheet(analysis: Analysis, report: Mapping[str, Any]) -> bytes:
    """Write the tear sheet, a self-contained HTML page."""
    from trading_lib.performance.tear_sheet.page import Provenance, tear_sheet
    from trading_lib.workflows.research.strategy_reports import warning_lines

    provenance = Provenance(
        title="Backtest",
        data_source=str(report["data_source"]),
        config_hash=str(report["config_hash"]),
        code_version=str(report["code_version"]),
        missing=MissingData.of_record(report.get("missing")).lines,
        notes=tuple(str(note) for note in report.get("notes", ())),
        warnings=(
            *(suspicion_line(item) for item in report.get("suspected_splits", ())),
            *(str(held["message"]) for held in report.get("old_prices", ())),
            *warning_lines(report),
        ),
        strategy=str(report["strategy"]),
        settings=report["strategy_settings"],
        clipping=report["clipping"],
    )
    return tear_sheet(analysis, provenance).encode()

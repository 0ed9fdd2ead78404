"""Commands that read data and compute: ``trading backtest``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, figure, missing_lines, percent, progress, readable, show

if TYPE_CHECKING:
    from trading_lib.performance.metrics.metric import MetricTable

app = typer.Typer()

# What the terminal shows below the metrics.
OTHERS = {
    "deflated_sharpe": "Deflated Sharpe ratio",
    "max_risk_level": "Highest risk level",
    "config_hash": "Configuration",
}

DATA_OPTION = typer.Option(
    "--data",
    help="Folder of CSV or Parquet prices; without it the default of sources.yaml, as shipped the simulated market.",
    show_default=False,
)


@app.command()
def backtest(
    first: Annotated[str, typer.Option("--from", help="First session, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last session, YYYY-MM-DD.")],
    data: Annotated[Path | None, DATA_OPTION] = None,
    sleeves: Annotated[
        str | None,
        typer.Option(
            "--sleeves", help="Instead of those in strategy.yaml, e.g. trend=0.5,rotation=0.5.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write the equity curve to this PNG.")] = None,
    tear_sheet: Annotated[
        Path | None, typer.Option("--tear-sheet", help="Write the tear sheet, one interactive page, to this HTML file.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write net asset values, positions, orders and fills to this folder."),
    ] = None,
    export_format: Annotated[str, typer.Option("--export-format", help="csv or parquet.")] = "csv",
    full: Annotated[bool, typer.Option("--full", help="Add confidence intervals to the report.")] = False,
    track: Annotated[bool, typer.Option(help="Log the run to the running MLflow server.")] = True,
    flows: Annotated[
        Path | None,
        typer.Option("--flows", help="Deposits and withdrawals: CSV or YAML of session, amount, account."),
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Run the configured strategy over past sessions and report what paper trading would have done.

    Exit code 1 when a strategy failed in some of the sessions, 2 when it failed in all.

    Example: trading backtest --from 2015-01-02 --to 2019-12-31 --data prices --out result.json
    """
    from trading_lib.adapters.files.export_folder import check_export_folder, write_export
    from trading_lib.adapters.files.output_file import check_writable, write_whole
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.research import backtest as backtesting
    from trading_lib.workflows.research.export import check_format, exported_files
    from trading_lib.workflows.research.strategy_reports import warning_lines
    from trading_lib.workflows.research.tracking import runs_address, sheet_address, tracking_uri
    from trading_lib.workflows.setup.settings import load_settings

    settings = load_settings()
    if sleeves:
        from trading_lib.workflows.dag_runs.backfill_request import sleeves_from
        from trading_lib.workflows.research.backtest_tasks import with_sleeves

        settings = with_sleeves(settings, sleeves_from(sleeves))
    for path in filter(None, (out, picture, tear_sheet)):
        check_writable(path)
    if export:
        check_format(export_format)
        check_export_folder(export)
    from trading_lib.adapters.sources.files.flows import read_flows

    moved = read_flows(flows, settings.configuration.accounts) if flows else ()
    run = backtesting.backtest(settings, parse_session(first), parse_session(last), data, flows=moved)
    address = tracking_uri(settings) if track else None
    if full or tear_sheet:
        run = backtesting.add_intervals(run)
    try:
        if address:
            run = backtesting.count_trials(run, address)
    finally:
        # What was computed is kept even when MLflow does not answer.
        if out:
            write_whole(out, json.dumps(run.report, indent=2).encode() + b"\n")
        if picture:
            write_whole(picture, backtesting.draw(run))
        if tear_sheet:
            write_whole(tear_sheet, backtesting.tear_sheet(run))
        if export:
            write_export(export, exported_files(run, export_format))
    report = dict(run.report)
    if address:
        report["mlflow_run_id"] = backtesting.track(run, address)
        report["mlflow_url"] = sheet_address(address, str(report["mlflow_run_id"]))
        report["mlflow_runs_url"] = runs_address(address)
    show(report, as_json, _lines(report, run.analysis.table, address, track))
    for line in warning_lines(report) if as_json else ():
        progress(f"warning: {line}")
    if report["sleeve_faults"]["count"]:
        raise typer.Exit(1)


def _lines(report: dict[str, Any], table: MetricTable, address: str | None, track: bool) -> list[str]:
    from trading_lib.performance.trading.executions import execution_lines
    from trading_lib.performance.trading.weight_cuts import cut_lines
    from trading_lib.workflows.data.suspected_splits import suspicion_line
    from trading_lib.workflows.research.strategy_reports import warning_lines

    trials = f"{report['trials']} trial{'s' * (report['trials'] != 1)}"
    lines = [f"Backtest on {report['data_source']} data, {report['from']} to {report['to']}, costs included, {trials}"]
    rows = {"Strategy": report["strategy"], **_figures(report, table)}
    rows |= {label: readable(report[name]) for name, label in OTHERS.items()}
    width = max(map(len, rows))
    lines += [f"  {name:<{width}} {text}" for name, text in rows.items()]
    lines += [f"  {line}" for line in _drawdown_lines(report)]
    if report["deposits"] or report["withdrawals"]:
        moved = (readable(report[name]) for name in ("deposits", "withdrawals", "profit"))
        lines.append("  deposits {}, withdrawals {}, profit {}; returns are time-weighted".format(*moved))
    clipping = report["clipping"]
    lines += [f"  {line}" for line in cut_lines(clipping)] if isinstance(clipping, dict) else []
    lines += [f"  {line}" for line in execution_lines(report)]
    suspected = report["suspected_splits"]
    lines += [f"  ALERT {suspicion_line(item)}" for item in suspected] if isinstance(suspected, list) else []
    missing = report.get("missing")
    lines += [f"  {line}" for line in missing_lines(missing if isinstance(missing, dict) else None)]
    lines += [f"  {line}" for line in warning_lines(report)]
    lines += [f"  {note}" for note in report["notes"]] if isinstance(report["notes"], list) else []
    unlogged = "no MLflow server is running (make up)" if track else "--no-track was given"
    where = f"logged to MLflow at {address}" if address else f"not logged to MLflow: {unlogged}"
    lines.append(f"  {report['elapsed_seconds']} s, {where}")
    if address:
        lines += [f"  tear sheet: {report['mlflow_url']}", f"  all runs:   {report['mlflow_runs_url']}"]
    return lines


def _figures(report: dict[str, Any], table: MetricTable) -> dict[str, str]:
    """Return every metric by its label, in its unit, or why there is none."""
    missing = report["missing_metrics"]
    return {
        metric.label: f"- ({missing[name]})" if name in missing else figure(metric.unit, report[name])
        for name, metric in table.items()
    }


def _drawdown_lines(report: dict[str, Any]) -> list[str]:
    """One line for each of the worst drawdowns."""
    return [
        f"drawdown {percent(one['depth'])}: from {one['peak']}, lowest {one['trough']}, "
        f"{'recovered ' + one['recovered'] if one['recovered'] else 'not recovered'}, {one['sessions']} sessions"
        for one in report["worst_drawdowns"]
    ]

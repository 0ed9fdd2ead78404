"""Commands that put the strategy to the test: ``trading stress``, ``trading sweep``, ``trading gates``."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, percent, progress, readable, show
from trading_lib.cli.research.research import DATA_OPTION

app = typer.Typer()

# What a shell reports of a command that Ctrl-C ended.
INTERRUPTED = 130


@app.command()
def stress(
    data: Annotated[Path | None, DATA_OPTION] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report to this JSON file.")] = None,
    page: Annotated[Path | None, typer.Option("--page", help="Write the report page to this HTML file.")] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write the picture to this PNG.")] = None,
    scenario: Annotated[list[str] | None, typer.Option("--scenario", help="Run only this one; may repeat.")] = None,
    paths: Annotated[bool, typer.Option(help="Draw crisis paths for the tail as well.")] = True,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Run the strategy through historical and synthetic crises; exit code 1 when it fails a criterion.

    Scenarios and criteria are in include/config/stress.yaml.

    Example: trading stress --data prices --out stress.json --page stress.html
    """
    from trading_lib.adapters.files.output_file import check_writable, write_whole
    from trading_lib.workflows.research.stress import load_stress, stress_test
    from trading_lib.workflows.setup.settings import load_settings

    settings = load_settings()
    for path in filter(None, (out, page, picture)):
        check_writable(path)
    run = stress_test(settings, load_stress(), data, scenario or (), paths)
    if out:
        write_whole(out, json.dumps(run.report, indent=2).encode() + b"\n")
    if page:
        write_whole(page, run.page().encode())
    if picture:
        write_whole(picture, run.picture())
    show(run.report, as_json, _stress_lines(run.report))
    raise typer.Exit(0 if run.report["passed"] else 1)


def _stress_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"Stress test on {report['data_source']} data: {'passed' if report['passed'] else 'FAILED'}"]
    for name, scenario in report["scenarios"].items():
        if scenario["status"] != "run":
            lines.append(f"  {name:<20} could not run: {scenario['reason']}")
            continue
        mark = "passed" if scenario["passed"] else "FAILED"
        lines.append(
            f"  {name:<20} {scenario['from']} to {scenario['to']}  drawdown {percent(scenario['max_drawdown'])} "
            f"(limit {percent(scenario['limit'])})  highest level {scenario['max_risk_level']}  {mark}"
        )
    tail = report["crisis_paths"]
    if tail and tail["status"] == "run":
        worst = ", ".join(f"{name} {percent(value)}" for name, value in tail["max_drawdown_quantiles"].items())
        lines.append(f"  {tail['paths']} crisis paths, drawdown quantiles: {worst}")
    return [*lines, *(f"  {text}" for text in report["failures"]), f"  {report['elapsed_seconds']} s"]


@app.command()
def sweep(
    first: Annotated[str, typer.Option("--from", help="First session, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last session, YYYY-MM-DD.")],
    grid: Annotated[
        Path, typer.Option("--grid", help="YAML: dotted configuration keys with lists of values, or a list of points.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Write one row per point: .json, .csv or .parquet.")],
    data: Annotated[Path | None, DATA_OPTION] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="How many run at once; default one per core.")] = None,
    track: Annotated[bool, typer.Option(help="Log every point to the running MLflow server.")] = False,
    screen: Annotated[
        int | None, typer.Option(min=1, help="Screen all points by vectorbt, and run only so many, the best.")
    ] = None,
    years: Annotated[
        int | None,
        typer.Option("--walk-forward", min=1, help="Choose each year's point by this many years before it, or more."),
    ] = None,
    rolling: Annotated[bool, typer.Option(help="With --walk-forward: by exactly that many years.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="With --walk-forward: draw its curves to this PNG.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max-points", min=1, help="Run a grid that is larger than sweep.yaml allows.")
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Run a backtest for every combination of configuration values; a point that fails leaves the others standing.

    Ctrl-C keeps what is finished (exit code 130), and the same command goes on from there, also after a kill: points
    are noted beside --out as they finish. Exit code 1 when all points failed.

    With --walk-forward the configuration as it stands is one more point, and every point is measured against it out of
    sample.

    With --screen N every point is valued by its target weights alone, and the N best by Sharpe ratio are run.

    Example: trading sweep --from 2015-01-02 --to 2019-12-31 --grid grid.yaml --out points.csv
    """
    from trading_lib.adapters.files.output_file import check_writable, write_whole
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.research.sweep import run as workflow
    from trading_lib.workflows.research.sweep.grid import load_grid
    from trading_lib.workflows.research.sweep.journal import forget_journal
    from trading_lib.workflows.research.sweep.limits import check_size, load_limits
    from trading_lib.workflows.research.sweep.report import check_suffix, summarise, write_points
    from trading_lib.workflows.research.sweep.tracking import require_tracking, track_points
    from trading_lib.workflows.research.sweep.walk_forward import Plan, walk, with_default
    from trading_lib.workflows.setup.settings import load_settings

    settings = load_settings()
    check_writable(out)
    check_suffix(out)
    window = parse_session(first), parse_session(last)
    limits = load_limits()
    points = load_grid(grid, lambda count: check_size(count, *window, limits, processes, most))
    plan = Plan(years, rolling, picture) if years else None
    if plan and screen:
        raise typer.BadParameter("--walk-forward measures every point, so leave out --screen")
    if plan:
        plan.check(settings.calendar.between(*window))
        points = with_default(points)
    elif rolling or picture:
        raise typer.BadParameter("--rolling and --picture need --walk-forward YEARS")
    address = require_tracking(settings) if track else None
    if screen:
        from trading_lib.workflows.research.sweep.screen import screened_sweep

        with _termination_as_interrupt():
            result = screened_sweep(settings, points, *window, screen, data, processes, progress, out)
    else:
        with _termination_as_interrupt(), typer.progressbar(length=len(points), label="points", file=_stderr()) as bar:
            result = workflow.sweep(settings, points, *window, data, processes, lambda _: bar.update(1), out)
    write_points(out, result)
    if not result.cancelled:
        forget_journal(out)
    summary = summarise(result)
    if address:
        summary["tracked"] = track_points(result, address)
    if plan and not result.cancelled:
        walked = walk(result, settings.configuration, plan)
        summary["walk_forward"] = walked.report
        if picture:
            write_whole(picture, walked.picture())
    show(summary, as_json, _sweep_lines(summary))
    if result.cancelled:
        progress("stopped: the same command goes on with the points that are left")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if summary["ok"] else 1)


def _stderr() -> Any:
    return typer.get_text_stream("stderr")


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let a polite kill end a sweep like Ctrl-C, so that it keeps what is finished."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _sweep_lines(summary: dict[str, Any]) -> list[str]:
    from trading_lib.workflows.research.sweep.effects import effect_lines

    lines = [
        f"{summary['points']} points on {summary['data_source']} data, {summary['from']} to {summary['to']}: "
        f"{summary['ok']} ok, {summary['failed']} failed, {summary['cancelled']} cancelled"
    ]
    for row in summary["best"]:
        values = row.get("name") or ", ".join(f"{name} {readable(value)}" for name, value in row.items() if "." in name)
        lines.append(
            f"  point {row['point']}: Sharpe {readable(row['sharpe'])}, "
            f"drawdown {percent(row['max_drawdown'])} ({values})"
        )
    lines += [f"  {line}" for line in effect_lines(summary, summary["ok"])]
    if not summary["ok"] and summary["commonest_failure"]:
        worst = summary["commonest_failure"]
        lines.append(f"  no point is ok; {worst['points']} of {summary['failed']} failed by: {worst['reason']}")
        return lines
    lines.append(
        f"  best point's deflated Sharpe {readable(summary['best_deflated_sharpe'])} after {summary['trials']} trials; "
        f"probability of overfitting {readable(summary['probability_of_overfitting'])}"
    )
    if "screened" in summary:
        lines.append(
            f"  screened only: {summary['screened']}; rank correlation of screened and full Sharpe ratios "
            f"{readable(summary['rank_correlation'])} (Spearman)"
        )
    lines += [
        f"  point {number}: its strategy failed in {count} sessions and kept its previous target"
        for number, count in summary["sleeve_faults"].items()
    ]
    if "walk_forward" in summary:
        lines += _walk_lines(summary["walk_forward"])
    return lines + [f"  point {number} failed: {reason}" for number, reason in list(summary["failures"].items())[:10]]


def _walk_lines(walk: dict[str, Any]) -> list[str]:
    years = walk["training_years"]
    training = f"{years} year{'s' * (years != 1)}{' (rolling)' if walk['rolling'] else ''}"
    lines = [f"Out of sample {walk['from']} to {walk['to']}, a choice a year after {training}, {walk['trials']} trials"]
    lines += [
        f"  to {fold['to']}: {fold['name']}, Sharpe {readable(fold['sharpe'])} "
        f"(in training {readable(fold['training_sharpe'])}; as configured {readable(fold['default_sharpe'])})"
        for fold in walk["folds"]
    ]
    rows = [("chosen every year", walk["chosen_yearly"]), *((point["name"], point) for point in walk["points"])]
    for name, row in rows:
        lines.append(
            f"  {name}: return {percent(row['annual_return'])}, Sharpe {readable(row['sharpe'])}, "
            f"drawdown {percent(row['max_drawdown'])}{_difference_words(row['difference'], walk['confidence'])}"
        )
    return lines


def _difference_words(difference: dict[str, float] | None, confidence: float) -> str:
    # Without an interval there is nothing to compare, and the default differs from nothing.
    if not difference or difference["low"] == difference["high"]:
        return ""
    return (
        f"; Sharpe {difference['value']:+.2f} against as configured, {confidence:.0%} interval "
        f"{difference['low']:+.2f} to {difference['high']:+.2f}, "
        f"p {difference['adjusted_p_value']:.2f} after all trials"
    )


@app.command()
def gates(
    data: Annotated[Path | None, DATA_OPTION] = None,
    backtest: Annotated[Path | None, typer.Option("--backtest", help="Report of trading backtest --out.")] = None,
    stress_report: Annotated[Path | None, typer.Option("--stress", help="Report of trading stress --out.")] = None,
    sweep_summary: Annotated[
        Path | None, typer.Option("--sweep", help="Output of trading sweep --json, for overfitting.")
    ] = None,
    store: Annotated[bool, typer.Option(help="Store the result in the trading database.")] = True,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Hold backtest and stress test against gate 1 (docs/research/experiments.md); exit code 1 when it does not pass.

    Reports that are not given are made: a backtest of the newest five years, and the stress test.

    Example: trading gates --data prices --backtest result.json --stress stress.json
    """
    from trading_lib.workflows.research import gates as workflow
    from trading_lib.workflows.setup.settings import load_settings

    settings = load_settings()
    report = workflow.evaluate_backtest_gate(settings, data, backtest, stress_report, sweep_summary)
    if store:
        report = workflow.store_gate(settings, report)
    lines = [f"Gate 1, backtest validation: {'passed' if report['passed'] else 'FAILED'}"]
    lines += [workflow.criterion_line(criterion) for criterion in report["criteria"]]
    lines.append(f"  configuration {report['config_hash']}, code {report['code_version']}")
    if store:
        lines.append(f"  stored as record {report['number']}, {report['record_hash'][:16]}")
        broken = ", ".join(str(number) for number in report["broken_records"])
        lines += [
            f"  WARNING: record {broken} of the gates, or the one before, was changed since it was stored"
        ] * bool(broken)
    show(report, as_json, lines)
    raise typer.Exit(0 if report["passed"] else 1)

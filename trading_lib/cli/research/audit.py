"""Commands that audit decisions and accounts: ``trading audit lookahead``, ``warmup`` and ``nav``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()
audit_app = typer.Typer(
    no_args_is_help=True, help="Prove that nothing peeks, how much history is needed, and that the accounts are right."
)
app.add_typer(audit_app, name="audit")

DATA_OPTION = typer.Option(
    "--data",
    help="Folder of CSV or Parquet prices; without it the default of sources.yaml, as shipped the simulated market.",
    show_default=False,
)
FROM_OPTION = typer.Option("--from", help="First session, default a year after the data begins.", show_default=False)
TO_OPTION = typer.Option("--to", help="Last session, default the newest.", show_default=False)


@audit_app.command()
def lookahead(
    data: Annotated[Path | None, DATA_OPTION] = None,
    first: Annotated[str | None, FROM_OPTION] = None,
    last: Annotated[str | None, TO_OPTION] = None,
    cuts: Annotated[int, typer.Option("--cuts", help="Sessions to cut the history at.")] = 50,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws those sessions.")] = 0,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Truncate the history at sampled sessions, decide them again, and report every result that used future data.

    Strategies of your own are watched for files, network, clock and memory searches as well.

    Exit code 1 when something had seen the future, or a strategy did what a decision may not rest on, or failed.

    Example: trading audit lookahead --data prices --cuts 100
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.research import audits as audit
    from trading_lib.workflows.setup.settings import load_settings

    start, end = (parse_session(day) if day else None for day in (first, last))
    report = audit.lookahead(load_settings(), data, start, end, cuts, seed, _progress)
    show(report, as_json, _lookahead_lines(report))
    if not report["clean"]:
        raise typer.Exit(1)


@audit_app.command()
def warmup(
    data: Annotated[Path | None, DATA_OPTION] = None,
    first: Annotated[str | None, FROM_OPTION] = None,
    last: Annotated[str | None, TO_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Measure how many sessions of history every factor, every sleeve and the decision need.

    Example: trading audit warmup --data prices
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.research import audits as audit
    from trading_lib.workflows.setup.settings import load_settings

    start, end = (parse_session(day) if day else None for day in (first, last))
    report = audit.warm_up(load_settings(), data, start, end, _progress)
    show(report, as_json, _warm_up_lines(report))


@audit_app.command()
def nav(
    data: Annotated[Path | None, DATA_OPTION] = None,
    first: Annotated[str | None, FROM_OPTION] = None,
    last: Annotated[str | None, TO_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Run a backtest, and let vectorbt account for the same fills: both must give the same net asset value.

    Exit code 1 when they differ by more than a millionth.

    Example: trading audit nav --data prices --from 2020-01-02
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.books.nav_check import check_nav
    from trading_lib.workflows.setup.settings import load_settings

    start, end = (parse_session(day) if day else None for day in (first, last))
    report = check_nav(load_settings(), data, start, end)
    line = (
        f"Net asset value on {report['data_source']} data, {report['from']} to {report['to']}: "
        f"{report['fills']} fills, own {report['nav']:,.2f}, vectorbt {report['independent_nav']:,.2f}; "
        f"largest difference {report['largest_difference']:.1e} of it on {report['largest_on']}"
    )
    show(report, as_json, [line, f"  {'the accounts agree' if report['agree'] else 'THE ACCOUNTS DIFFER'}"])
    if not report["agree"]:
        raise typer.Exit(1)


def _progress(line: str) -> None:
    typer.echo(f"  {line}", err=True)


def _lookahead_lines(report: dict[str, Any]) -> list[str]:
    lines = [
        f"Lookahead audit on {report['data_source']} data, {report['from']} to {report['to']}: history cut at "
        f"{len(report['cuts'])} of {report['sessions']} sessions (seed {report['seed']})",
        f"  {len(report['factors'])} factors, regime, signals, sleeves {', '.join(report['sleeves'])}, risk, orders, "
        f"{report['fills_checked']} fills, net asset value; {report['complete_runs']} complete runs on cut history",
    ]
    for name, times in report["sleeve_faults"].items():
        lines.append(f"  sleeve {name} failed in {times} of {report['sessions']} sessions, where it decided nothing")
    if report["own_sleeves"]:
        lines.append(
            f"  {', '.join(report['own_sleeves'])} watched for files, network, processes, clock and memory searches, "
            "and asked again in a process without later data, files and network"
        )
    features = report["features"]
    lines.append(f"  {len(features['compared'])} features of models, history cut at {len(features['cuts'])} sessions")
    lines += [f"  not covered: {limit}" for limit in report["not_covered"]]
    lines += [_act_line(act) for act in report["acts"]]
    lines += [_feature_line(leak) for leak in features["findings"]]
    if report["clean"]:
        return [*lines, f"  clean: nothing that was decided depends on what became known later ({_extent(report)})"]
    if not report["findings"]:
        return [*lines, f"  not clean ({_extent(report)})"]
    culprits = sum(finding["culprit"] for finding in report["findings"])
    named = f"{culprits} culprit{'s' * (culprits != 1)} had seen the future"
    lines.append(f"  {named}; what only followed from that comes after")
    return lines + [_finding_line(finding) for finding in report["findings"]]


def _extent(report: dict[str, Any]) -> str:
    return f"{len(report['cuts'])} cuts, {len(report['sleeves'])} sleeves"


def _act_line(act: dict[str, Any]) -> str:
    times = f", {act['times']} times" if act["times"] > 1 else ""
    return f"  CULPRIT     strategy {act['strategy']}: {act['what']} at {act['where']}, {act['when']}{times}"


def _feature_line(leak: dict[str, Any]) -> str:
    return (
        f"  CULPRIT     feature {leak['feature']}: {leak['session']} {leak['symbol']}: {leak['full']} with the whole "
        f"history, {leak['known']} with what was known (cut, at {leak['cut']}; {leak['cuts']} cuts)"
    )


def _finding_line(finding: dict[str, Any]) -> str:
    what = f"{finding['layer']} {finding['name']}" if finding["name"] != finding["layer"] else finding["name"]
    where = f"{finding['session']} {finding['symbol']}".strip()
    role = "CULPRIT    " if finding["culprit"] else "consequence"
    return (
        f"  {role} {what}: {where}: {finding['full']} with the whole history, {finding['known']} with what was known "
        f"({finding['found_by']}, at {finding['cut']}; {finding['cuts']} cuts)"
    )


def _warm_up_lines(report: dict[str, Any]) -> list[str]:
    lines = [
        f"Warm-up audit on {report['data_source']} data, {report['from']} to {report['to']}: histories begun at "
        f"{', '.join(report['beginnings'])}",
        f"  {'sessions needed until it agrees':<40}{'to 1e-6':>9}{'to 1e-9':>9}",
    ]
    for row in report["rows"]:
        loose, tight = (row[name] or f"> {report['horizon']}" for name in ("loose", "tight"))
        lines.append(f"  {row['kind'] + ' ' + row['name']:<40}{loose:>9}{tight:>9}")
    need = report["recommended_sessions"]
    return [*lines, f"  history a run should have before its first decision: {need or 'more'} sessions"]

"""Commands that move a book: ``trading ingest``, ``trading run-daily``, ``trading check-stops``."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from trading_lib.adapters.sources.catalogue import TITLES
from trading_lib.cli.output import JSON_OPTION, show
from trading_lib.domain.errors import InputError

app = typer.Typer()

DATA_OPTION = typer.Option("--data", help="Folder of CSV or Parquet prices.", show_default=False)
SOURCE_OPTION = typer.Option(
    "--source",
    help=f"One of {', '.join(TITLES)}; the chain is all of sources.yaml. Or file.py:Class: your own.",
    show_default=False,
)


@app.command()
def ingest(
    data: Annotated[Path | None, DATA_OPTION] = None,
    source: Annotated[str | None, SOURCE_OPTION] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day, default all there is.")] = None,
    session: Annotated[str | None, typer.Option("--to", help="Last session, default the newest.")] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="Only these, separated by commas.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Load a source's history into the database. The same again changes nothing.

    Exit code 1 when a symbol brought nothing, or not its newest bar; a folder may lack symbols nobody asked for.

    Example: trading ingest --source chain --from 2024-01-02 --symbols SPY,GLD
    """
    from trading_lib.domain.market.sessions import FIRST_SESSION, parse_session
    from trading_lib.workflows.data import fetch as fetching
    from trading_lib.workflows.data import tasks as market_data
    from trading_lib.workflows.data.ingest import newest_session
    from trading_lib.workflows.setup.settings import load_settings
    from trading_lib.workflows.setup.source_choice import FILES, SIMULATED, choose_source

    settings = load_settings()
    chosen_source = choose_source(source, data, settings)
    kind, data = chosen_source.kind, chosen_source.folder
    last = parse_session(session) if session else newest_session(kind, data, settings)
    start = parse_session(first) if first else FIRST_SESSION
    if start > last:
        raise InputError(f"--from {start} lies after --to {last}", "exchange them")
    plan = market_data.plan(last.isoformat(), kind, str(data) if data else None, "demo", settings)
    chosen = [symbol.strip() for symbol in symbols.split(",") if symbol.strip()] if symbols else []
    if symbols is not None and not chosen:
        raise InputError(f"--symbols {symbols} names no symbol", "write them with commas between, e.g. SPY,GLD")
    result = dict(fetching.ingest_history(plan, settings, last, start, chosen))
    if kind == FILES and data is not None and not chosen:
        from trading_lib.workflows.data.stored_quality import record_folder_findings

        result["findings_in_files"] = record_folder_findings(data, settings)
    show({"source": plan.source_name, "from": start, "to": last} | result, as_json)
    asked_for_all = chosen or kind not in (FILES, SIMULATED)
    if (asked_for_all and result["failures"]) or result["stale"]:
        raise typer.Exit(1)


@app.command("run-daily")
def run_daily(
    session: Annotated[str | None, typer.Option("--session", help="Session, default the newest.")] = None,
    book: Annotated[str | None, typer.Option("--book", help="Book to trade, default demo or paper.")] = None,
    data: Annotated[Path | None, DATA_OPTION] = None,
    source: Annotated[str | None, SOURCE_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Ingest, decide and paper-trade one session, task by task. Running it again changes nothing.

    Exit code 1 when a strategy failed and kept its previous target, 2 when a risk rule of yours failed.

    Example: trading run-daily --session 2022-06-15 --book demo-real --data prices
    """
    from trading_lib.workflows.data import tasks as market_data
    from trading_lib.workflows.setup.settings import load_settings
    from trading_lib.workflows.trade.daily import run_daily as run
    from trading_lib.workflows.trade.summary import render, session_summary

    settings = load_settings()
    plan = market_data.plan(session, source, str(data) if data else None, book, settings)
    stages = run(plan, settings, None if as_json else lambda line: typer.echo(f"  {line}", err=True))
    closed = stages["settle"].get("closed_by_repair") or stages["orders"].get("closed_by_repair")
    if closed is not None:
        line = f"session {plan.session} of book {plan.book} was closed by repair {closed}: nothing was traded"
        show({"book": plan.book, "session": plan.session.isoformat(), "closed_by_repair": closed}, as_json, [line])
        return
    from trading_lib.workflows.backups.jobs import state_after_trade

    saved = state_after_trade(plan.book)
    summary = session_summary(plan.book, plan.session.isoformat(), settings)
    completeness = stages["check_completeness"]
    data_lines = [f"Data {completeness['severity']}: {line}" for line in completeness["lines"]]
    if saved["problem"]:
        typer.echo(f"warning: the book's state was not backed up: {saved['problem']}", err=True)
    show(summary | {"stages": stages}, as_json, [*render(summary).splitlines(), *data_lines])
    placed = stages["place"]
    if "sent_from" in placed:
        wait = f"{placed['waiting']} orders wait until their broker takes them, from {placed['sent_from']} on"
        typer.echo(f"note: {wait}: run this again then, or let trade_daily do it", err=True)
    for reason in placed.get("held_because", ()):
        typer.echo(f"warning: orders were held back and not sent: {reason}", err=True)
    faults = stages["targets"].get("sleeve_faults", {})
    for name, fault in faults.items():
        typer.echo(f"warning: sleeve {name} failed and kept its previous target: {fault}", err=True)
    broken = stages["risk"].get("rule_faults", [])
    for fault in broken:
        typer.echo(f"error: {fault}", err=True)
    if broken or faults:
        raise typer.Exit(2 if broken else 1)


@app.command("check-stops")
def check_stops(
    day: Annotated[str | None, typer.Option("--day", help="Day without a session, default the newest.")] = None,
    book: Annotated[str | None, typer.Option("--book", help="Book to check, default demo or paper.")] = None,
    data: Annotated[Path | None, DATA_OPTION] = None,
    source: Annotated[str | None, SOURCE_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Check the stops of what trades every day on a day without a session, and sell what they demand.

    Needs stops.days_without_session of risk.yaml. Running it again changes nothing.

    Example: trading check-stops --day 2022-06-18 --book demo-real --data prices
    """
    from trading_lib.workflows.setup.settings import load_settings
    from trading_lib.workflows.trade import stop_checks

    settings = load_settings()
    plan = stop_checks.plan(day, source, str(data) if data else None, book, settings)
    ingested = stop_checks.ingest(plan, settings)
    run = stop_checks.open_run(plan, settings)
    checked, sent = stop_checks.check(plan, run), stop_checks.send(plan, run)
    line = f"{checked['day']}: {checked['stops']} stops, {sent['sent']} sales sent, {sent['denied']} denied"
    show({"book": plan.session.book, "ingested": ingested, **checked, **sent}, as_json, [line])


@app.command("record-proceeds")
def record_proceeds(
    book: Annotated[str, typer.Option("--book", help="Book that holds the symbol.", show_default=False)],
    symbol: Annotated[str, typer.Option("--symbol", help="Symbol whose prices have ended.", show_default=False)],
    amount: Annotated[
        str, typer.Option("--amount-per-share", help="Dollars a share, 0 if it is worthless.", show_default=False)
    ],
    session: Annotated[str, typer.Option("--session", help="Session that books it.", show_default=False)],
    note: Annotated[str, typer.Option("--note", help="Why, for the record.", show_default=False)],
    by: Annotated[str | None, typer.Option("--by", help="Who records it, default the user of this computer.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Record what a held symbol without a price brought: a merger, a liquidation, nothing. The next settle books it.

    Until then it can be recorded again: the newest record counts, and none is ever removed.

    Example: trading record-proceeds --book paper --symbol XLK --amount-per-share 43.21 --session 2016-07-15
    --note "merger paid in cash"
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.books.proceeds import record

    day = parse_session(session)
    show(record(book, symbol, amount, day, by or getpass.getuser(), note), as_json)

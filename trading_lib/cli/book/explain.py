"""``trading explain``: why this weight and this order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command()
def explain(
    session: Annotated[str, typer.Option("--session", help="The decided session, YYYY-MM-DD.")],
    symbol: Annotated[str, typer.Option("--symbol", help="The asset, as in universe.yaml.")],
    book: Annotated[str | None, typer.Option("--book", help="Read this book's stored decision.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Or backtest on this folder; default that of sources.yaml."),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="First session of that backtest.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Say why an asset has its weight and its order in a session: data, factors, rules, sleeves, limits, fill.

    Example: trading explain --session 2022-06-15 --symbol SPY --data prices
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.explain.evidence import explain as explain_session
    from trading_lib.workflows.explain.lines import explanation_lines
    from trading_lib.workflows.setup.settings import load_settings

    start = parse_session(first) if first else None
    explanation = explain_session(load_settings(), parse_session(session), symbol, book, data, start)
    show(explanation, as_json, list(explanation_lines(explanation)))

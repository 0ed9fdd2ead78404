"""``trading db``: the schema of the trading database."""

from __future__ import annotations

from typing import Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer(no_args_is_help=True, help="Create or upgrade the trading database.")


@app.command()
def upgrade(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Bring the schema to the newest revision. All or nothing: a failed upgrade changes nothing.

    Example: trading db upgrade
    """
    from trading_lib.workflows.operations.database import upgrade as run

    show({"revision": run()}, as_json)


@app.command()
def status(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Say which revision the schema is at.

    Example: trading db status --json
    """
    from trading_lib.workflows.operations.database import status as run

    show(run(), as_json)

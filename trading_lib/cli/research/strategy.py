"""Commands for strategies of a user's own: ``trading strategy new``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()
strategy_app = typer.Typer(no_args_is_help=True, help="Begin a strategy of your own.")
app.add_typer(strategy_app, name="strategy")


@strategy_app.callback()
def strategy() -> None:
    """Begin a strategy of your own."""


@strategy_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Its name: small letters, digits and _.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where to write, default include/strategies.", show_default=False)
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Write a strategy that runs, its test, and the commands that test, backtest and audit it.

    Nothing is overwritten, and no configuration changes.

    Example: trading strategy new calm_trend
    """
    from trading_lib.adapters.user_code.templates.writing import write_strategy
    from trading_lib.strategies.registry import BUILT_IN
    from trading_lib.workflows.setup.settings import configuration_folder
    from trading_lib.workflows.strategies.trial import SLEEVES_VARIABLE, sleeve_variable

    usual = configuration_folder(os.environ).parent / "strategies"
    if folder is None:
        usual.mkdir(exist_ok=True)
    chosen = folder or usual
    written = write_strategy(name, chosen, tuple(sorted(BUILT_IN)))
    beside = chosen.resolve() == usual.resolve()
    place = written.strategy.name if beside else str(written.strategy.resolve())
    reference = f"{place}:{written.class_name}"
    alone = f"{SLEEVES_VARIABLE}={shlex.quote(sleeve_variable(name, reference))}"
    commands = {
        "test": f"python {shlex.quote(str(written.test))}",
        "backtest": f"{alone} trading backtest --from 2015-01-02 --to 2019-12-31",
        "audit": f"{alone} trading audit lookahead",
    }
    sleeve = f'{name}: {{strategy: "{reference}", budget: 0.2}}'
    result = {
        "strategy": str(written.strategy),
        "test": str(written.test),
        "class": written.class_name,
        "reference": reference,
        "sleeve": sleeve,
        "commands": commands,
    }
    lines = [
        f"wrote {written.strategy} and {written.test}",
        *(f"  {title:<9} {command}" for title, command in commands.items()),
        f"  trade     put this below sleeves: in strategy.yaml, and take its budget from the others: {sleeve}",
    ]
    show(result, as_json, lines)

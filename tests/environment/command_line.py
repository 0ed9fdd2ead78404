"""Running the command line inside the test's process."""

from __future__ import annotations

from typer.main import get_command

from trading_lib.cli import app, main

CONTRACT_KEYS = {
    "data_source",
    "sessions",
    "final_nav",
    "annual_return",
    "annual_volatility",
    "sharpe",
    "max_drawdown",
    "calmar",
    "win_rate",
    "profit_factor",
    "monthly_turnover",
    "annual_cost_drag",
    "max_risk_level",
    "trades",
    "config_hash",
    "elapsed_seconds",
}


def run(*arguments: str) -> int:
    """Exit code of the command line."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def leaf_commands() -> list[list[str]]:
    """Every command by the words that call it."""

    def walk(command: object, path: list[str]) -> list[list[str]]:
        children = getattr(command, "commands", None)
        if children is None:
            return [path]
        return [leaf for name, child in children.items() for leaf in walk(child, [*path, name])]

    return walk(get_command(app), [])

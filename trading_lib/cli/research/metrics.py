"""The table of metrics on the command line: ``trading metrics``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, figure, show

app = typer.Typer()


@app.command()
def metrics(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """List every metric with its unit, target and definition, those of one's own included.

    Example: trading metrics --json
    """
    from trading_lib.workflows.setup.metric_table import metric_definitions
    from trading_lib.workflows.setup.settings import load_settings

    definitions = metric_definitions(load_settings().configuration)
    width = max(map(len, definitions))
    show(definitions, as_json, [f"{name:<{width}}  {_line(found)}" for name, found in definitions.items()])


def _line(found: dict[str, Any]) -> str:
    target = found["target"]
    side = {"higher": "above", "lower": "below"}.get(found["better"], "")
    wanted = f"; target {side} {figure(found['unit'], target['target'])}" if target else ""
    return f"{found['label']} ({found['unit']}{wanted}): {found['definition'].replace('`', '')}"

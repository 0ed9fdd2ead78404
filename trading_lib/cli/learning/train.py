"""Command that trains models that rank assets: ``trading train``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, progress, show
from trading_lib.cli.research.research import DATA_OPTION

app = typer.Typer()
INTERRUPTED = 130


class WindowName(StrEnum):
    """`learning.config.Window`, which help need not load."""

    EXPANDING = "expanding"
    THREE_YEARS = "3y"


@app.command()
def train(
    first: Annotated[str, typer.Option("--from", help="First session to learn from, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last session; no label ends after it.")],
    data: Annotated[Path | None, DATA_OPTION] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write the report to this JSON file, and the models into a folder beside it; without it both go to "
            "the project's home.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        WindowName | None, typer.Option("--window", help="In place of that of learning.yaml.", show_default=False)
    ] = None,
    universe_extra: Annotated[
        Path | None,
        typer.Option(
            "--universe-extra",
            help="Folder of further assets to learn from: an experiment, never registered.",
            show_default=False,
        ),
    ] = None,
    register: Annotated[bool, typer.Option(help="Register what passes, where an MLflow server runs.")] = True,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many fits run at once; default one per core.", show_default=False)
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Train models that rank assets, judge them out of sample, and register those that have earned it.

    Every model stands beside untrained baselines and against models of noise (docs/research/models.md). Settings are in
    include/config/learning.yaml.

    Example: trading train --from 2007-01-03 --to 2022-12-30 --data prices --out training.json
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.learning.config import Window
    from trading_lib.workflows.learning.train import TrainingRequest
    from trading_lib.workflows.learning.train import train as run_training
    from trading_lib.workflows.learning.training.report import training_lines
    from trading_lib.workflows.setup.settings import load_settings

    settings = load_settings()
    request = TrainingRequest(
        first=parse_session(first),
        last=parse_session(last),
        data=data,
        window=Window(window) if window else None,
        universe_extra=universe_extra,
        register=register,
        processes=processes,
    )
    try:
        run = run_training(settings, request, progress, out)
    except KeyboardInterrupt:
        progress("stopped by Ctrl-C")
        raise typer.Exit(INTERRUPTED) from None
    show(run.report, as_json, training_lines(run.report))

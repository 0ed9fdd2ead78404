"""How commands print: tables of names and values, or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

JSON_OPTION = typer.Option("--json", help="Print JSON instead of text.")


def show(result: Mapping[str, Any], as_json: bool, lines: list[str] | None = None) -> None:
    """Print a result as JSON, or as the given lines, or as aligned names and values."""
    if as_json:
        typer.echo(json.dumps(result, indent=2, default=str))
        return
    for line in aligned(result) if lines is None else lines:
        typer.echo(line)


def progress(line: str) -> None:
    """Tell on standard error how far a command has come, so that what it prints stays clean."""
    typer.echo(line, err=True)


def aligned(result: Mapping[str, Any]) -> list[str]:
    """One line per item, names padded to the same width."""
    width = max((len(name) for name in result), default=0)
    return [f"{name.replace('_', ' '):<{width}}  {readable(value)}" for name, value in result.items()]


def readable(value: Any) -> str:
    """Value as readable text."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4f}"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items()) or "-"
    return str(value)


def missing_lines(record: Mapping[str, Any] | None) -> list[str]:
    """Tell in one line what the data lacks; no line when it lacks nothing."""
    # pandas comes with it, which help and errors need not wait for.
    from trading_lib.domain.market.missing_data import MissingData

    lines = MissingData.of_record(record).lines
    return ["; ".join(lines)] if lines else []


def figure(unit: str, value: float | None) -> str:
    """Return a metric in its unit as a person reads it."""
    return percent(value) if unit == "per cent" else readable(value)


def percent(value: float | None) -> str:
    """Return a fraction as a percentage, or a dash when missing."""
    return "-" if value is None else f"{value:.2%}"

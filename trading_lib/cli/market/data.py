"""Commands about the sources of market data and its state: ``trading sources``, ``trading data-report``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command()
def sources(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Show every configured source: circuit breaker, last answer and failure, why it is skipped.

    Example: trading sources --json
    """
    from trading_lib.workflows.data.sources import get_source_status

    status = get_source_status()
    show({"sources": status}, as_json, [line for name, state in status.items() for line in _source_lines(name, state)])


@app.command("data-report")
def data_report(
    source: Annotated[str | None, typer.Option("--source", help="As stored; default the only one, or chain.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Report how fresh, complete and revised the stored data is; exit code 1 when something is behind or missing.

    Example: trading data-report --source chain --json
    """
    from trading_lib.workflows.data.freshness import data_report as report

    result = report(source)
    show(result, as_json, _report_lines(result))
    if result["problems"]:
        raise typer.Exit(1)


def _source_lines(name: str, state: dict[str, Any]) -> list[str]:
    routes = ", ".join(f"{route} ({position}.)" for route, position in state["routes"].items())
    if state["skipped"]:
        return [f"{name:<10} skipped    {routes}", f"           {state['skipped']}"]
    lines = [f"{name:<10} {_health(state):<10} {routes}  last answer {state['last_answer_at'] or 'never'}"]
    if state["last_failure_at"]:
        lines.append(f"           last failure {state['last_failure_at']}: {state['last_error']}")
    if state["blocked_until"]:
        failures = state["failures_in_a_row"]
        lines.append(f"           left alone until {state['blocked_until']}, after {failures} failures in a row")
    return lines


def _health(state: dict[str, Any]) -> str:
    """Say the circuit breaker's state as text: its closed is a source that works."""
    if state["state"] == "closed":
        if state["failures_in_a_row"]:
            return "unsteady"
        return "healthy" if state["last_answer_at"] else "not asked"
    return {"open": "left alone", "half-open": "on trial"}.get(state["state"], str(state["state"]))


def _report_lines(result: dict[str, Any]) -> list[str]:
    lines = [f"Stored data of {result['source']} at {result['as_of']}"]
    for name, item in result["symbols"].items():
        lines.append(
            f"  {name:<8} {item['first']} to {item['newest']}  behind {item['behind']}, missing {item['missing']},"
            f" before the first bar {item['missing_since_inception']}, revisions {item['revisions']}"
        )
    for name, item in result["series"].items():
        late = ", overdue" if item["overdue"] else ""
        lines.append(
            f"  {name:<8} newest {item['newest']} ({item['age_days']} days old{late}), {item['revisions']} revisions"
        )
    return [*lines, *(f"  ! {problem}" for problem in result["problems"])]

"""Faults, forbidden actions and limit cuts of a run's strategies, for report, terminal, tear sheet, MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trading_lib.adapters.user_code.watch import acts_of
from trading_lib.backtest.audits.sleeve_faults import SleeveFaults
from trading_lib.decision_config import DecisionConfig
from trading_lib.performance.trading.weight_cuts import headline, is_loud

Report = dict[str, Any]


def faults_report(faults: Mapping[str, SleeveFaults]) -> Report:
    """Failures in all, and of each sleeve how many, of how many sessions, the first of them and what was wrong."""
    sleeves = {name: asdict(fault) | {"first": fault.first.isoformat()} for name, fault in faults.items()}
    return {"count": sum(fault.sessions for fault in faults.values()), "sleeves": sleeves}


def acts_report(decision: DecisionConfig) -> list[Report]:
    """List what strategies and risk rules of the user's did besides deciding: files, network, processes, memory."""
    running = own_code(decision, only_running=True)
    return [asdict(act) for act in acts_of(running)] if running else []


def own_code(decision: DecisionConfig, only_running: bool = False) -> set[str]:
    """Return the references of the strategies and risk rules that are the user's."""
    sleeves = (sleeve for sleeve in decision.strategy.sleeves if sleeve.budget > 0 or not only_running)
    return {one.strategy for one in sleeves if ":" in one.strategy} | {entry.rule for entry in decision.risk.rules}


def warning_lines(report: Mapping[str, Any]) -> list[str]:
    """One line for each sleeve that failed, and for each thing a strategy did."""
    faults = [
        f"sleeve {name} failed in {fault['sessions']} of {fault['asked']} sessions and kept its previous target: first "
        f"on {fault['first']}: {fault['message']}"
        for name, fault in report.get("sleeve_faults", {}).get("sleeves", {}).items()
    ]
    return faults + [
        f"strategy {act['strategy']} {act['what']} at {act['where']}, {act['when']}: a backtest cannot tell whether "
        "that was known then (trading audit lookahead)"
        for act in report.get("strategy_acts", ())
    ]


def cut_metrics(clipping: Mapping[str, Any]) -> dict[str, float | None]:
    """Return what was wanted, allowed and held on average, and in which share of the sessions each limit bound."""
    sessions = clipping["sessions"]
    bound = {
        f"limit/{limit['limit']}": limit["sessions"] / sessions
        for limit in clipping["limits"]
        if not limit["of_orders"]
    }
    weights: dict[str, float | None] = {f"{name}_weight": clipping[name] for name in ("wanted", "allowed", "held")}
    return {**weights, "limit/any": clipping["sessions_cut"] / sessions, **bound}


def run_note(report: Mapping[str, Any]) -> str:
    """Describe a run in Markdown: its tear sheet, its strategy, and loudly what limits cut from it."""
    clipping, settings = report["clipping"], report["strategy_settings"]
    cut = f"**CUT BY LIMITS: {headline(clipping)}**" if is_loud(clipping) else f"{headline(clipping)}."
    lines = ["[Tear sheet]({sheet})", f"Strategy {report['strategy']}.", cut]
    changed = [f"- `{name}` = {value}" for name, value in settings.items() if name != "strategy"]
    return "\n\n".join([*lines, *warning_lines(report), "\n".join(changed)]).strip()

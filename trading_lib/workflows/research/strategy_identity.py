"""Identity of a run's strategy for MLflow and reports: sleeves, settings changed from the shipped ones, data.

The configuration's hash says whether two runs are of the same settings; this says what they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from trading_lib.adapters.files.include_folder import SHIPPED_CONFIG
from trading_lib.domain.configuration import Configuration
from trading_lib.risk.config import RiskConfig
from trading_lib.strategies.config import SleeveConfig
from trading_lib.workflows.setup.configuration import (
    ExecutionFile,
    StrategyFile,
    SystemConfiguration,
    UniverseFile,
    load_file,
)
from trading_lib.workflows.setup.source_choice import SIMULATED

# What no report of a run depends on.
LEFT_OUT = ("strategy.decision_seconds", "strategy.sleeves", "execution.sending", "execution.kill_switch")
ABSENT = "none"


def strategy_name(configuration: SystemConfiguration) -> str:
    """Name the sleeves that run, with their budgets in per cent: "trend 60 + rotation 40"."""
    return " + ".join(f"{sleeve.name} {sleeve.budget * 100:g}" for sleeve in _running(configuration))


def run_name(configuration: SystemConfiguration, report: Mapping[str, Any]) -> str:
    """Name a run by its data, strategy and window: "SIMULATED trend 60 + rotation 40, 2015-01-02 to 2019-12-31"."""
    return named_run(strategy_name(configuration), report)


def named_run(strategy: str, report: Mapping[str, Any]) -> str:
    """Name a run of a strategy that has a name already, "" where nobody knows it."""
    source = str(report["data_source"])
    data = "SIMULATED" if SIMULATED in source.lower() else source.removeprefix("files:")
    return (
        f"{data} {strategy}, {report['from']} to {report['to']}"
        if strategy
        else f"{data} {report['from']} to {report['to']}"
    )


def strategy_parameters(configuration: SystemConfiguration) -> dict[str, str]:
    """Return the sleeves with what runs them, and every setting that is not as shipped, by dotted names."""
    parameters = {"strategy": strategy_name(configuration)}
    for sleeve in _running(configuration):
        parameters[f"sleeves.{sleeve.name}"] = f"{sleeve.budget:g}"
        if sleeve.strategy != sleeve.name:
            parameters[f"sleeves.{sleeve.name}.strategy"] = sleeve.strategy
        if sleeve.strategy in configuration.own_strategies:
            parameters[f"sleeves.{sleeve.name}.sha256"] = configuration.own_strategies[sleeve.strategy]
        parameters |= {f"sleeves.{sleeve.name}.{name}": _text(value) for name, value in sleeve.options}
    return parameters | changed_settings(configuration)


def changed_settings(configuration: SystemConfiguration) -> dict[str, str]:
    """Return the settings that are not as shipped, e.g. strategy.signals.momentum_high: 0.12."""
    shipped, values = _shipped(), dict(_flat("", _values(configuration)))
    names = [*values, *(name for name in shipped if name not in values)]
    pairs = {name: (shipped.get(name, ABSENT), values.get(name, ABSENT)) for name in names}
    return {name: value for name, (before, value) in pairs.items() if before != value}


def _running(configuration: SystemConfiguration) -> tuple[SleeveConfig, ...]:
    return tuple(sleeve for sleeve in configuration.decision.strategy.sleeves if sleeve.budget > 0)


def _values(configuration: SystemConfiguration) -> dict[str, Any]:
    """Lay the configuration out as the files that it came from."""
    decision = configuration.decision
    return {
        "strategy": decision.strategy.model_dump(mode="json")
        | {"constraints": decision.constraints.model_dump(mode="json")},
        "risk": decision.risk.model_dump(mode="json"),
        "execution": {
            "initial_cash": str(configuration.initial_cash),
            "orders": decision.orders.model_dump(mode="json"),
            "pre_trade": decision.pre_trade.model_dump(mode="json"),
            "paper": configuration.paper.model_dump(mode="json"),
            "accounts": {account.name: account.as_record() for account in configuration.accounts.accounts},
        },
        "universe": configuration.universe_file,
    }


@lru_cache(maxsize=1)
def _shipped() -> dict[str, str]:
    """Read the settings that come with the program, whatever was made of the files in include/config."""
    models: dict[str, type[Configuration]] = {"strategy": StrategyFile, "risk": RiskConfig, "execution": ExecutionFile}
    values: dict[str, Any] = {
        name: load_file(SHIPPED_CONFIG / f"{name}.yaml", model, {}).model_dump(mode="json")
        for name, model in models.items()
    }
    execution = load_file(SHIPPED_CONFIG / "execution.yaml", ExecutionFile, {})
    values["execution"]["accounts"] = {account.name: account.account.as_record() for account in execution.accounts}
    values["universe"] = load_file(SHIPPED_CONFIG / "universe.yaml", UniverseFile, {}).by_symbol()
    return dict(_flat("", values))


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            yield from _flat(f"{path}.", value)
        else:
            yield path, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""The metrics of an installation: those of the system, and the users' own that performance.yaml names."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.adapters.user_code.own_metrics import with_own_metrics
from trading_lib.domain.errors import ConfigurationError, one_of
from trading_lib.performance.metrics.metric import MetricTable
from trading_lib.performance.metrics.targets import bound_problem, targets_of
from trading_lib.workflows.setup.configuration import SystemConfiguration

# What reports, rows of sweeps and MLflow call something else; a test holds it against them.
TAKEN = """
allowed_weight attribution benchmark benchmarks cancelled cancelled_orders clipping closings code_version
confidence_intervals config_hash costs data_folder data_source deflated_sharpe denied_orders deposits dividends
elapsed_seconds from funding held_weight initial_cash max_risk_level missing missing_metrics mlflow_run_id
mlflow_runs_url mlflow_url name nav notes old_prices orders per_regime per_year point probabilistic_sharpe profit
quarantined_bars reason refused screened_annual_return screened_max_drawdown screened_monthly_turnover
screened_sharpe sharpe_evidence sleeve_faults status strategy strategy_acts strategy_settings suspected_splits
targets thin_volume to trials trials_source wanted_weight withdrawals worst_drawdowns
"""
RESERVED = frozenset(TAKEN.split())


def metric_table(configuration: SystemConfiguration) -> MetricTable:
    """Load the users' own metrics and put them behind those of the system.

    Raises
    ------
    ConfigurationError
        Naming the file of a metric that cannot be used, or the target that belongs to none.
    """
    config = configuration.performance
    table = with_own_metrics(config.own_metrics, _folder(configuration), RESERVED)
    for name, bound in config.targets.items():
        problem = bound_problem(table[name], bound) if name in table else f"there is no metric {name!r}"
        if problem:
            remedy = "correct this value" if name in table else one_of(name, table)
            raise ConfigurationError(f"{configuration.folder / 'performance.yaml'}: targets: {problem}", remedy)
    return table


def metric_definitions(configuration: SystemConfiguration) -> dict[str, dict[str, Any]]:
    """Say of every metric what it is, by name, with the target in force."""
    table = metric_table(configuration)
    targets = {**targets_of(table), **configuration.performance.targets}
    return {
        name: {
            "label": metric.label,
            "unit": metric.unit.value,
            "better": metric.better.value,
            "definition": metric.definition,
            "source": metric.source,
            "target": targets[name].model_dump() if name in targets else None,
        }
        for name, metric in table.items()
    }


def metric_digests(configuration: SystemConfiguration) -> dict[str, str]:
    """SHA-256 of the file of every metric of the user's own, by its reference."""
    references = configuration.performance.own_metrics
    files = {one: inspect.getsourcefile(load_class(one, _folder(configuration), "metric")) for one in references}
    return {one: hashlib.sha256(Path(file).read_bytes()).hexdigest() for one, file in files.items() if file}


def _folder(configuration: SystemConfiguration) -> Path:
    return configuration.folder.parent / "metrics"

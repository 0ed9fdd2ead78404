"""Every point of a sweep as a run of MLflow; their number is the trial count of a deflated Sharpe ratio."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from trading_lib.adapters.mlflow.runs import MlflowTracker, TrackedRun
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.workflows.research.strategy_identity import named_run, strategy_parameters
from trading_lib.workflows.research.sweep.grid import configuration_at
from trading_lib.workflows.research.sweep.point import OK, SCREENED, PointResult
from trading_lib.workflows.research.sweep.run import SweepResult
from trading_lib.workflows.research.tracking import tracking_uri
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.settings import Settings, configuration_folder


def require_tracking(settings: Settings) -> str:
    """Address of the MLflow server; without one a sweep that shall be tracked must not begin."""
    address = tracking_uri(settings)
    if address is None:
        raise InputError("no MLflow server is running", "start it with `make up`, or leave out --track")
    return address


def track_points(sweep: SweepResult, address: str) -> int:
    """Log the finished points and return their number; a point that was logged before is not logged again.

    A point that was only screened was tried, too; its run has the screened metrics alone.
    """
    tracker, version = MlflowTracker(address), code_version()
    done = [result for result in sweep.results if result.status in (OK, SCREENED)]
    for result in done:
        values = {name: json.dumps(value) for name, value in result.point.values.items()}
        strategy = _strategy(result)
        tracker.log(
            TrackedRun(
                name=f"sweep {_name(sweep, strategy)}",
                parameters={
                    "data_source": sweep.data_source,
                    "from": str(sweep.first),
                    "to": str(sweep.last),
                    "config_hash": result.config_hash,
                    "code_version": version,
                    **strategy,
                    **values,
                },
                metrics=dict(result.metrics or result.screened),
                tags={"data_source": sweep.data_source, "config_hash": result.config_hash, "sweep": "yes"},
            )
        )
    return len(done)


def _name(sweep: SweepResult, strategy: Mapping[str, str]) -> str:
    report = {"data_source": sweep.data_source, "from": sweep.first, "to": sweep.last}
    return named_run(strategy.get("strategy", ""), report)


def _strategy(result: PointResult) -> dict[str, str]:
    """Say which strategy the point is; nothing where the configuration is no longer the one that ran."""
    environment = dict(os.environ)
    try:
        configuration = configuration_at(result.point, configuration_folder(environment), environment)
    except ConfigurationError:
        return {}
    return strategy_parameters(configuration) if configuration.config_hash == result.config_hash else {}

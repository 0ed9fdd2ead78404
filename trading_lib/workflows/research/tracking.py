"""The MLflow server of a run: that of the environment, or the one the stack started."""

from __future__ import annotations

import json
import math
import os

from trading_lib.adapters.mlflow.runs import BACKTEST_EXPERIMENT, MlflowTracker
from trading_lib.adapters.mlflow.trials import TrackedTrial, read_trials
from trading_lib.adapters.mlflow.views import SHEET_FILE, artifact_page, run_page, runs_page
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR
from trading_lib.performance.significance.deflated_sharpe import Trials
from trading_lib.workflows.setup.settings import Settings

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"


def tracking_uri(settings: Settings) -> str | None:
    """Address of the MLflow server to log to, None when none is running.

    For the server of the stack the login is put into this process's environment, where MLflow's client looks for it;
    another server gets what its user has set.
    """
    named, started = os.environ.get(TRACKING_VARIABLE), _started_by_the_stack(settings)
    address = named or started
    if address and started and address.rstrip("/") == started:
        from trading_lib.adapters.services.credentials import load_or_create
        from trading_lib.adapters.services.mlflow_server import mlflow_login

        os.environ.update(mlflow_login(load_or_create(settings.folders.credentials)))
    return address


def _started_by_the_stack(settings: Settings) -> str | None:
    try:
        state = json.loads(settings.folders.state.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        # Absent, or in the closed home of somebody else, whose server is not ours to write to.
        return None
    address = state.get("mlflow_address")
    return str(address) if address else None


def run_address(server: str, run_id: str, experiment: str = BACKTEST_EXPERIMENT) -> str:
    """Address of a run's page at an MLflow server."""
    return run_page(server, _experiment_id(server, experiment), run_id)


def sheet_address(server: str, run_id: str) -> str:
    """Address of the page that shows a backtest's tear sheet."""
    return artifact_page(server, _experiment_id(server, BACKTEST_EXPERIMENT), run_id, SHEET_FILE)


def runs_address(server: str, experiment: str = BACKTEST_EXPERIMENT) -> str:
    """Address of the table of all runs, with the columns that matter."""
    return runs_page(server, _experiment_id(server, experiment))


def _experiment_id(server: str, experiment: str) -> str:
    # 0 is the experiment that every server has.
    return MlflowTracker(server).experiment_id(experiment) or "0"


def trials_behind(this_trial: TrackedTrial, own_sharpe: float | None, tracking_uri: str) -> Trials:
    """Count the distinct trials on the same data, the run itself included, whether or not it was logged before.

    Every configuration, window and outcome counts: who searches over windows has searched. Only trials of the same
    window tell how much Sharpe ratios vary from trial to trial, as a shorter window varies more by itself.
    """
    tracked = read_trials(tracking_uri)
    alike = {trial: result for trial, result in tracked.items() if trial.data_source == this_trial.data_source}
    same_window = {
        trial: result.sharpe
        for trial, result in alike.items()
        if (trial.first, trial.last) == (this_trial.first, this_trial.last)
    }
    same_window[this_trial] = own_sharpe
    return Trials(
        count=sum(result.weight for result in alike.values()) + (this_trial not in alike),
        sharpes=tuple(sharpe / math.sqrt(SESSIONS_PER_YEAR) for sharpe in same_window.values() if sharpe is not None),
        source=f"distinct backtests on {this_trial.data_source} data in MLflow, this one included",
    )

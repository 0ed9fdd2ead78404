"""How many trials stand behind a run, read from MLflow."""

from __future__ import annotations

import math

from trading_lib.adapters.models.mlflow_trials import TrackedTrial, read_trials
from trading_lib.performance.deflated_sharpe import Trials
from trading_lib.performance.metrics import SESSIONS_PER_YEAR


def trials_behind(own: TrackedTrial, own_sharpe: float | None, tracking_uri: str) -> Trials:
    """Count the distinct trials on the same data, the run itself included, whether or not it was logged before.

    Every configuration, window and outcome counts: who searches over windows has searched. Only trials of the same
    window tell how much Sharpe ratios vary from trial to trial, as a shorter window varies more by itself.
    """
    known = read_trials(tracking_uri)
    alike = {trial: result for trial, result in known.items() if trial.data_source == own.data_source}
    same_window = {
        trial: result.sharpe for trial, result in alike.items() if (trial.first, trial.last) == (own.first, own.last)
    }
    same_window[own] = own_sharpe
    return Trials(
        count=sum(result.weight for result in alike.values()) + (own not in alike),
        sharpes=tuple(sharpe / math.sqrt(SESSIONS_PER_YEAR) for sharpe in same_window.values() if sharpe is not None),
        source=f"distinct backtests on {own.data_source} data in MLflow, this one included",
    )

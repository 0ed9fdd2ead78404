"""Earlier trials: the distinct backtests that MLflow has logged."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trading_lib.adapters.mlflow.runs import BACKTEST_EXPERIMENT, TRIALS_TAG
from trading_lib.domain.errors import StorageUnavailableError

if TYPE_CHECKING:
    from mlflow.entities import Run

RUNS_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class TrackedTrial:
    """A backtest that was logged, however often.

    Attributes
    ----------
    first, last
        First and last session, YYYY-MM-DD.
    final_nav
        Dollars, rounded to the cent; NaN when it was not logged. The same configuration that comes to another value
        ran on other rules or other data, which is another trial.
    """

    data_source: str
    first: str
    last: str
    config_hash: str
    final_nav: float


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a trial.

    Attributes
    ----------
    sharpe
        Annualised, None where there is none.
    weight
        Trials that the logged run stands for, more than one for a sweep.
    """

    sharpe: float | None
    weight: int


def read_trials(tracking_uri: str, experiment: str = BACKTEST_EXPERIMENT) -> dict[TrackedTrial, TrialResult]:
    """Read the distinct finished trials of an experiment; none when nothing was logged yet.

    Raises
    ------
    StorageUnavailableError
        When the server does not answer.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    # Importing MLflow takes seconds, so only who asks pays for it.
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri)
    trials: dict[TrackedTrial, TrialResult] = {}
    try:
        tracked = client.get_experiment_by_name(experiment)
        token = None
        while tracked:
            page = client.search_runs(
                [tracked.experiment_id], "attributes.status = 'FINISHED'", max_results=RUNS_PER_PAGE, page_token=token
            )
            trials |= dict(map(_trial, page))
            token = page.token
            if not token:
                break
    except MlflowException as error:
        raise StorageUnavailableError(
            f"MLflow at {tracking_uri} did not list its runs ({str(error).splitlines()[0][:200]})",
            "start it with `make up`, or unset MLFLOW_TRACKING_URI",
        ) from None
    return trials


def _trial(run: Run) -> tuple[TrackedTrial, TrialResult]:
    parameters, metrics = run.data.params, run.data.metrics
    value = metrics.get("final_nav", math.nan)
    trial = TrackedTrial(
        data_source=parameters.get("data_source", ""),
        first=parameters.get("from", ""),
        last=parameters.get("to", ""),
        config_hash=parameters.get("config_hash", ""),
        final_nav=round(value, 2),
    )
    return trial, TrialResult(metrics.get("sharpe"), _whole(run.data.tags.get(TRIALS_TAG, "1")))


def _whole(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1

"""Views of an experiment in MLflow's pages: the classic table of runs, with the columns that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping

# Without a kind, MLflow shows an experiment it knows nothing of as one about language models.
KIND_TAG = "mlflow.experimentKind"
CLASSIC = "custom_model_development"
# MLflow's pages keep columns in the browser; what an address names by this key they read from the experiment instead.
VIEW_KEY = "strategies"
# A browser that has not been told otherwise opens every page as one about language models, whatever the kind.
WORKFLOW = "workflowType=machine_learning"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"

# The artifact that a run's description leads to.
SHEET_FILE = "tear_sheet.html"
# In this order, with their widths in pixels.
COLUMNS = {
    "params.`strategy`": 190,
    "params.`from`": 95,
    "params.`to`": 95,
    "metrics.`sharpe`": 90,
    "metrics.`annual_return`": 115,
    "metrics.`max_drawdown`": 120,
    "params.`data_source`": 140,
}


def experiment_tags() -> Mapping[str, str]:
    """Tags that an experiment of backtests has."""
    return {KIND_TAG: CLASSIC, VIEW_TAG: json.dumps(_view(), sort_keys=True)}


def _view() -> Mapping[str, object]:
    """Return the state of MLflow's page of runs, as the page itself would store it."""
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(COLUMNS),
        "columnOrder": list(COLUMNS),
        "columnWidths": COLUMNS,
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "FIRST_10_RUNS",
        "viewMaximized": True,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def runs_page(server: str, experiment_id: str) -> str:
    """Address of the table of an experiment's runs, with its columns."""
    return f"{server}/#/experiments/{experiment_id}/runs?{WORKFLOW}&viewStateShareKey={VIEW_KEY}"


def run_page(server: str, experiment_id: str, run_id: str) -> str:
    """Address of a run's page."""
    return f"{server}/#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"


def artifact_page(server: str, experiment_id: str, run_id: str, name: str) -> str:
    """Address of the page that shows one of a run's artifacts."""
    return f"{server}/#/experiments/{experiment_id}/runs/{run_id}/artifacts/{name}?{WORKFLOW}"

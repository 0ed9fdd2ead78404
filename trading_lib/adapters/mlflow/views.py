"""Views of an experiment in MLflow's pages: the classic table of runs, with the columns that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

# Without a kind, MLflow shows an experiment it knows nothing of as one about language models.
KIND_TAG = "mlflow.experimentKind"
CLASSIC = "custom_model_development"
# MLflow's pages keep columns in the browser; what an address names by a view's key they read from the experiment
# instead.
VIEW_TAG_PREFIX = "mlflow.sharedViewState."
# A browser that has not been told otherwise opens every page as one about language models, whatever the kind.
WORKFLOW = "workflowType=machine_learning"

# The artifact that a run's description leads to.
SHEET_FILE = "tear_sheet.html"


@dataclass(frozen=True, slots=True)
class View:
    """The table of an experiment's runs.

    Attributes
    ----------
    key
        By which addresses name it.
    columns
        In this order, with their widths in pixels.
    """

    key: str
    columns: Mapping[str, int]


STRATEGIES = View(
    "strategies",
    {
        "params.`strategy`": 190,
        "params.`from`": 95,
        "params.`to`": 95,
        "metrics.`sharpe`": 90,
        "metrics.`annual_return`": 115,
        "metrics.`max_drawdown`": 120,
        "params.`data_source`": 140,
    },
)
MODELS = View(
    "models",
    {
        "params.`model`": 200,
        "metrics.`ic_mean`": 80,
        "metrics.`ic_t_nw`": 80,
        "metrics.`ic_null_p`": 90,
        "metrics.`timing_null_p`": 115,
        "metrics.`active_sharpe`": 110,
        "metrics.`beats_baseline_p`": 135,
        "metrics.`passed`": 70,
        "params.`window`": 100,
        "params.`from`": 95,
        "params.`to`": 95,
    },
)


def experiment_tags(view: View = STRATEGIES) -> Mapping[str, str]:
    """Tags that an experiment of such runs has."""
    state = json.dumps(_state(view), sort_keys=True)
    return {KIND_TAG: CLASSIC, f"{VIEW_TAG_PREFIX}{view.key}": state}


def _state(view: View) -> Mapping[str, object]:
    """Return the state of MLflow's page of runs, as the page itself would store it."""
    return {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(view.columns),
        "columnOrder": list(view.columns),
        "columnWidths": view.columns,
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


def runs_page(server: str, experiment_id: str, view: View = STRATEGIES) -> str:
    """Address of the table of an experiment's runs, with its columns."""
    return f"{server}/#/experiments/{experiment_id}/runs?{WORKFLOW}&viewStateShareKey={view.key}"


def run_page(server: str, experiment_id: str, run_id: str) -> str:
    """Address of a run's page."""
    return f"{server}/#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"


def artifact_page(server: str, experiment_id: str, run_id: str, name: str) -> str:
    """Address of the page that shows one of a run's artifacts."""
    return f"{server}/#/experiments/{experiment_id}/runs/{run_id}/artifacts/{name}?{WORKFLOW}"

"""A button in Airflow that leads from a task to its run in MLflow, where the tear sheet is."""

from __future__ import annotations

from typing import Any

from airflow.sdk.bases.operatorlink import BaseOperatorLink

URL_KEY = "report_url"


class TearSheetLink(BaseOperatorLink):
    """Leads to the address that the task pushed as XCom `report_url`."""

    name = "Tear sheet"

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return "tear_sheet_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address, "" when nothing was logged."""
        return ti_key.xcom_pull(task_ids=operator.task_id, key=URL_KEY) or ""


class StressReportLink(TearSheetLink):
    """The same to the page of a stress test."""

    name = "Stress report"

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return "stress_report_link"


class TrainingLink(TearSheetLink):
    """The same to the run of a training in MLflow."""

    name = "Training in MLflow"

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return "training_link"

"""An Airflow of the tests' own: folders of this checkout, state in a temporary place, no database.

Airflow reads its configuration when it is first imported, so the environment is set before any test module is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_home = tempfile.mkdtemp(prefix="airflow-tests-")
os.environ |= {
    "AIRFLOW_HOME": _home,
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Its handlers outlive pytest's captured streams: anything logged at exit would fail to print.
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home}/airflow.db",
}
# What Airflow itself does with both folders when it starts.
for _folder in ("dags", "plugins"):
    sys.path.insert(0, str(ROOT / _folder))

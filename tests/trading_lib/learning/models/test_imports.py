"""Whoever only names models loads none of the libraries they are made with."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.models import baselines, learners, loading
from trading_lib.learning.splits import combinatorial, cross_validation, walk_forward
for kind in learners.LEARNERS:
    learners.make_learner(kind, LearningConfig())
print(sorted({"lightgbm", "xgboost", "skfolio", "mlflow", "shap", "sklearn", "scipy"} & set(sys.modules)))
"""


def test_libraries_are_loaded_where_they_are_used() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""A training: data -> splits -> scores out of sample -> evidence -> models of the whole window -> registry, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.model_evidence import ModelEvidence
from trading_lib.learning.model import Model
from trading_lib.workflows.learning.training.request import TrainingRequest as TrainingRequest


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A finished training.

    Attributes
    ----------
    configuration
        As it was trained by: with the window that was asked for.
    data_source
        Name of the prices.
    code_version
        Of this project.
    dataset
        What the models of the whole window learned from.
    models
        Kind -> model fitted on all of ``dataset``.
    evidence
        Kind -> what is known of it out of sample; the untrained baselines in ``baselines``.
    report
        Plain values, as `trading train` writes them.
    daily_ic
        Kind -> information coefficient of each session of ``dataset`` out of sample, the mean over the paths, shape
        (S,); those of the baselines too. A promotion compares them.
    """

    request: TrainingRequest
    configuration: LearningConfig
    data_source: str
    code_version: str
    dataset: Dataset
    models: Mapping[str, Model]
    evidence: Mapping[str, ModelEvidence]
    baselines: Mapping[str, ModelEvidence]
    report: dict[str, Any]
    started_at: datetime
    finished_at: datetime
    daily_ic: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def passed(self) -> tuple[str, ...]:
        """Kinds that passed, in the order of the configuration."""
        return tuple(kind for kind in self.models if self.evidence[kind].passed)

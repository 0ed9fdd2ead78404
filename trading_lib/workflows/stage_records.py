"""Stage results <-> the payloads a state store keeps. The store itself keeps every bit of a float, and NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from trading_lib.domain.risk import RiskAssessment, RiskEvent, RiskState
from trading_lib.domain.signals import MarketRegime, RegimeReading, SignalPanel
from trading_lib.domain.weights import TargetWeights

Record = dict[str, Any]

# Stored in tables of their own.
KEPT_APART = ("next_state", "events")


def signals_record(regime: RegimeReading, signals: SignalPanel) -> Record:
    """Payload of the signal stage."""
    return _values(regime) | _values(signals)


def signals_from(record: Mapping[str, Any]) -> tuple[RegimeReading, SignalPanel]:
    """Inverse of `signals_record`."""
    regime = RegimeReading(
        MarketRegime(record["regime"]), record["volatility_index"], record["age"], record["abstained"]
    )
    signals = SignalPanel(
        codes=np.array(record["codes"], dtype=np.int8),
        unfiltered_codes=np.array(record["unfiltered_codes"], dtype=np.int8),
        confidence=np.array(record["confidence"], dtype=np.float64),
        complete=np.array(record["complete"], dtype=np.bool_),
    )
    return regime, signals


def targets_record(targets: TargetWeights) -> Record:
    """Payload of the target stage."""
    return _values(targets)


def targets_from(record: Mapping[str, Any]) -> TargetWeights:
    """Inverse of `targets_record`."""
    return TargetWeights(
        wanted=np.array(record["wanted"], dtype=np.float64),
        weights=np.array(record["weights"], dtype=np.float64),
        correlations=np.array(record["correlations"], dtype=np.float64),
        clips={symbol: tuple(names) for symbol, names in record["clips"].items()},
    )


def assessment_record(assessment: RiskAssessment) -> Record:
    """Payload of the risk stage, without the next state and the events."""
    return {name: value for name, value in _values(assessment).items() if name not in KEPT_APART}


def assessment_from(record: Mapping[str, Any], next_state: RiskState, events: Sequence[RiskEvent]) -> RiskAssessment:
    """Inverse of `assessment_record`, given what is stored apart."""
    arrays = {
        "weights": np.array(record["weights"], dtype=np.float64),
        "may_increase": np.array(record["may_increase"], dtype=np.bool_),
        "ceilings": np.array(record["ceilings"], dtype=np.float64),
    }
    return RiskAssessment(**{**record, **arrays, "next_state": next_state, "events": tuple(events)})


def _values(item: Any) -> Record:
    return {field.name: getattr(item, field.name) for field in fields(item)}

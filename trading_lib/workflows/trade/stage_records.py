"""Stage results <-> the payloads a state store keeps. The store itself keeps every bit of a float, and NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from trading_lib.domain.decision.risk import RiskAssessment, RiskEvent, RiskState, RuleCeiling
from trading_lib.domain.decision.signals import MarketRegime, RegimeReading, SignalPanel
from trading_lib.domain.decision.sleeves import SleeveEvent, SleeveRecord, SleeveTarget
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.prices import FloatArray

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


def targets_record(targets: TargetWeights, symbols: Sequence[str]) -> Record:
    """Payload of the target stage, each sleeve's words included."""
    sleeves = {name: _sleeve_record(record) for name, record in targets.sleeves.items()}
    # A JSON object of the database does not keep its keys in order, and reasons name the sleeves in theirs.
    return _values(targets) | {"sleeves": sleeves, "sleeve_names": list(sleeves), "symbols": list(symbols)}


def _sleeve_record(record: SleeveRecord) -> Record:
    target = record.target
    return {
        "budget": record.budget,
        "held": record.held,
        "weights": target.weights,
        "memory": dict(target.memory),
        "words": dict(target.rationale()),
        "events": [_values(event) for event in target.events],
        "hedges": dict(target.hedges),
    }


def sleeves_from(record: Mapping[str, Any], symbols: Sequence[str] = ()) -> dict[str, SleeveRecord]:
    """Read the sleeves' decisions from the target stage's payload; none in a record older than the sleeves.

    Parameters
    ----------
    symbols
        The universe's today, when it may have changed since: a new symbol's weight was 0.
    """
    then = record.get("symbols", symbols)
    order = [then.index(symbol) if symbol in then else -1 for symbol in symbols] if list(symbols) != then else None
    sleeves = record.get("sleeves", {})
    return {name: _sleeve_from(sleeves[name], order) for name in record.get("sleeve_names", sleeves)}


def _sleeve_from(stored: Mapping[str, Any], order: list[int] | None) -> SleeveRecord:
    def weights(name: str) -> FloatArray:
        values = np.array(stored[name], dtype=np.float64)
        return values if not order else np.r_[values, 0.0][order]  # -1 finds the zero

    target = SleeveTarget(
        weights=weights("weights"),
        rationale=lambda: stored["words"],
        memory=stored["memory"],
        events=tuple(SleeveEvent(**event) for event in stored["events"]),
        hedges=stored.get("hedges", {}),
    )
    return SleeveRecord(target, weights("held"), stored["budget"])


def targets_from(record: Mapping[str, Any]) -> TargetWeights:
    """Inverse of `targets_record`."""
    return TargetWeights(
        wanted=np.array(record["wanted"], dtype=np.float64),
        weights=np.array(record["weights"], dtype=np.float64),
        correlations=np.array(record["correlations"], dtype=np.float64),
        clips={symbol: tuple(names) for symbol, names in record["clips"].items()},
        sleeves=sleeves_from(record),
    )


def assessment_record(assessment: RiskAssessment) -> Record:
    """Payload of the risk stage, without the next state and the events; of users' rules only where there are any."""
    record = {name: value for name, value in _values(assessment).items() if name not in KEPT_APART}
    said = [_values(ceiling) for ceiling in record.pop("rule_ceilings")]
    return record | {"rule_ceilings": said} if said else record


def assessment_from(record: Mapping[str, Any], next_state: RiskState, events: Sequence[RiskEvent]) -> RiskAssessment:
    """Inverse of `assessment_record`, given what is stored apart."""
    arrays = {
        "weights": np.array(record["weights"], dtype=np.float64),
        "may_increase": np.array(record["may_increase"], dtype=np.bool_),
        "ceilings": np.array(record["ceilings"], dtype=np.float64),
        "clips": {symbol: tuple(names) for symbol, names in record.get("clips", {}).items()},
        "rule_ceilings": tuple(RuleCeiling(**said) for said in record.get("rule_ceilings", ())),
    }
    return RiskAssessment(**{**record, **arrays, "next_state": next_state, "events": tuple(events)})


def _values(item: Any) -> Record:
    return {field.name: getattr(item, field.name) for field in fields(item)}

"""Gates: reports -> criteria -> a stored record that names its evidence."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trading_lib.domain.errors import InputError
from trading_lib.performance.gates import BACKTEST_GATE, Criterion, GateConfig, backtest_gate
from trading_lib.workflows.data.market import Market
from trading_lib.workflows.research.backtest import backtest_market, market_digest
from trading_lib.workflows.research.stress import load_market, load_stress, stress_test
from trading_lib.workflows.setup.configuration import load_file
from trading_lib.workflows.setup.settings import Settings, configuration_folder

Report = dict[str, Any]


def load_gates() -> GateConfig:
    """Read gates.yaml of the configuration folder."""
    variables = dict(os.environ)
    return load_file(configuration_folder(variables) / "gates.yaml", GateConfig, variables)


def evaluate_backtest_gate(
    settings: Settings,
    data: Path | None = None,
    backtest_file: Path | None = None,
    stress_file: Path | None = None,
    sweep_file: Path | None = None,
) -> Report:
    """Evaluate gate 1; a report that is not given is made from the data.

    Parameters
    ----------
    sweep_file
        What ``trading sweep --json`` printed, for the probability of overfitting.
    """
    config = load_gates()
    evidence: dict[str, str] = {}
    data_hash = ""
    if backtest_file:
        backtest = _read(backtest_file, evidence)
    else:
        market = load_market(settings, data).market
        backtest = _newest_years(settings, market, config.minimum_years)
        data_hash = market_digest(market.panel)
        evidence["backtest"] = _digest(_written(backtest))
    if stress_file:
        stress = _read(stress_file, evidence)
    else:
        stress = stress_test(settings, load_stress(), data, with_paths=False).report
        evidence["stress"] = _digest(_written(stress))
    overfitting = _read(sweep_file, evidence).get("probability_of_overfitting") if sweep_file else None
    config_hash = settings.configuration.config_hash
    criteria = backtest_gate(backtest, stress, overfitting, config_hash, config)
    return {
        "gate": BACKTEST_GATE,
        "passed": all(criterion.passed for criterion in criteria),
        "criteria": [asdict(criterion) for criterion in criteria],
        "config_hash": config_hash,
        "code_version": str(backtest.get("code_version", "")),
        "data_source": str(backtest.get("data_source", "")),
        "data_hash": data_hash,
        "evidence": evidence,
    }


def store_gate(settings: Settings, report: Report) -> Report:
    """Store a gate's result behind the ones before it and return it with its hashes.

    ``broken_records`` holds the numbers of stored records that somebody has changed, or that follow one taken out.
    """
    from trading_lib.adapters.stores.research.sweeps_and_gates import GateStore

    store = GateStore(settings.engine())
    stored = store.append({**report, "recorded_at": settings.clock()})
    return {**stored, "broken_records": store.broken_links()}


def criterion_line(criterion: Report | Criterion) -> str:
    """One criterion as a person reads it."""
    fields = asdict(criterion) if isinstance(criterion, Criterion) else criterion
    value = fields["value"]
    shown = "missing" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    mark = "pass" if fields["passed"] else "FAIL"
    return f"  {mark}  {fields['name'].replace('_', ' '):<28} {shown} ({fields['rule']} {fields['threshold']})"


def _newest_years(settings: Settings, market: Market, years: float) -> Report:
    """Backtest the newest years of the data."""
    last = market.panel.sessions[-1].item()
    whole, rest = divmod(round(years * 12), 12)
    month = last.month - rest - 1
    first = last.replace(year=last.year - whole + month // 12, month=month % 12 + 1, day=min(last.day, 28))
    return backtest_market(settings, market, first, last).report


def _read(path: Path, evidence: dict[str, str]) -> Report:
    try:
        content = path.read_bytes()
        report = json.loads(content)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "name an existing report") from None
    except ValueError:
        raise InputError(f"{path} is no valid JSON", "name a report that this program wrote") from None
    if not isinstance(report, dict):
        raise InputError(f"{path} holds no report", "name a report that this program wrote")
    evidence[path.name] = _digest(content)
    return report


def _written(report: Report) -> bytes:
    return json.dumps(report, sort_keys=True, default=str).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""An analysis as plain dictionaries: the additions to the report that ``trading backtest --out`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from trading_lib.performance.analysis import Analysis, Comparison
from trading_lib.performance.metrics.drawdowns import LISTED, Drawdown
from trading_lib.performance.trading.executions import report_executions

Report = dict[str, Any]


def report_analysis(analysis: Analysis) -> Report:
    """Lay an analysis out by name; a missing figure is None.

    Dollars of the attribution keep four places, so that they add up to the change of net asset value to the cent.
    """
    return {
        "missing_metrics": dict(analysis.metrics.missing),
        "benchmark": analysis.config.benchmark,
        "worst_drawdowns": _drawdowns(analysis, analysis.drawdowns),
        "targets": {v.metric: {n: x for n, x in asdict(v).items() if n != "metric"} for v in analysis.verdicts},
        "per_year": {str(y.year): {n: x for n, x in asdict(y).items() if n != "year"} for y in analysis.years},
        "per_regime": {r.regime.value: {n: x for n, x in asdict(r).items() if n != "regime"} for r in analysis.regimes},
        "benchmarks": {name: _comparison(found, analysis) for name, found in analysis.comparisons.items()},
        "costs": {
            **{n: getattr(analysis.costs, n) for n in ("commission", "slippage", "traded")},
            "annual_commission": analysis.costs.annual_commission,
            "annual_slippage": analysis.costs.annual_slippage,
            "by_asset": {
                symbol: {"commission": commission, "slippage": slippage}
                for symbol, (commission, slippage) in analysis.costs.by_asset.items()
            },
        },
        "attribution": {"by_asset": _by_asset(analysis), "by_sleeve": _by_sleeve(analysis)},
        **report_executions(analysis.record, analysis.config.volume_share),
        **report_sharpe(analysis),
        "confidence_intervals": asdict(analysis.intervals) if analysis.intervals else None,
    }


def report_sharpe(analysis: Analysis) -> Report:
    """Only what depends on the trials behind the run."""
    evidence = analysis.sharpe
    return {
        "trials": analysis.trials.count,
        "trials_source": analysis.trials.source,
        "probabilistic_sharpe": evidence.probabilistic if evidence else None,
        "deflated_sharpe": evidence.deflated if evidence else None,
        "sharpe_evidence": asdict(evidence) if evidence else None,
    }


def _comparison(found: Comparison, analysis: Analysis) -> Report:
    own, other = analysis.metrics["annual_return"], found.metrics["annual_return"]
    return {
        **found.metrics,
        "annual_return_difference": own - other if own is not None and other is not None else None,
        "beta": found.beta,
        "correlation": found.correlation,
        "alpha": found.alpha,
        "missing_metrics": dict(found.metrics.missing),
        "worst_drawdowns": _drawdowns(analysis, found.drawdowns),
    }


def _drawdowns(analysis: Analysis, found: Sequence[Drawdown]) -> list[Report]:
    """Name the days of the worst drawdowns; ``recovered`` is None where the peak was not reached again."""
    days = analysis.record.sessions
    return [
        {
            "depth": one.depth,
            "peak": str(days[one.peak]),
            "trough": str(days[one.trough]),
            "recovered": None if one.recovered is None else str(days[one.recovered]),
            "sessions": one.length,
        }
        for one in found[:LISTED]
    ]


def _by_asset(analysis: Analysis) -> Report:
    parts = analysis.attribution
    sums = {
        name: getattr(parts, name).sum(axis=0) for name in ("price", "dividends", "commission", "slippage", "total")
    }
    traded = sorted({int(column) for column in analysis.record.trades.column})
    symbols = analysis.record.universe.symbols
    return {symbols[i]: {name: round(float(values[i]), 4) for name, values in sums.items()} for i in traded}


def _by_sleeve(analysis: Analysis) -> Report:
    return {name: round(float(profit.sum()), 4) for name, profit in analysis.sleeves.items()}

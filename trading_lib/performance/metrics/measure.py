"""Computing the metrics of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.book.orders import Fill
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.metrics.inputs import MetricInput
from trading_lib.performance.metrics.metric import MetricTable, Missing
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.trading.trade_arrays import TradeArrays, trade_arrays


@dataclass(frozen=True, slots=True)
class Metrics(Mapping[str, float | int | None]):
    """Figures of one run by name, in the order of the table; rates are fractions.

    Attributes
    ----------
    figures
        Name -> value; None where it could not be computed.
    missing
        Name -> why it could not.
    """

    figures: Mapping[str, float | int | None]
    missing: Mapping[str, str]

    def __getitem__(self, name: str) -> float | int | None:
        return self.figures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)


def metrics_of(run: MetricInput, table: MetricTable = METRICS) -> Metrics:
    """Compute every metric of the table."""
    answers = {name: metric.value(run) for name, metric in table.items()}
    return Metrics(
        {name: None if isinstance(answer, Missing) else answer for name, answer in answers.items()},
        {name: answer.reason for name, answer in answers.items() if isinstance(answer, Missing)},
    )


def measure(
    nav: FloatArray,
    fills: Sequence[Fill] | TradeArrays,
    cash_rate: FloatArray,
    flows: FloatArray | None = None,
    sessions: DateArray | None = None,
    table: MetricTable = METRICS,
) -> Metrics:
    """Compute the metrics of a curve and its executions, without a benchmark; see `metric_input`."""
    return metrics_of(metric_input(nav, fills, cash_rate, flows, sessions), table)


def metric_input(
    nav: FloatArray,
    fills: Sequence[Fill] | TradeArrays,
    cash_rate: FloatArray,
    flows: FloatArray | None = None,
    sessions: DateArray | None = None,
    benchmark: FloatArray | None = None,
) -> MetricInput:
    """Collect what metrics are computed from, see `MetricInput`.

    Parameters
    ----------
    fills
        Objects or arrays; none of a benchmark.
    cash_rate
        Annual cash rate as a fraction, shape (S,); NaN counts as 0.
    """
    trades = fills if isinstance(fills, TradeArrays) else trade_arrays(fills)
    return MetricInput(nav, np.nan_to_num(cash_rate, nan=0.0), trades, flows, sessions, benchmark)

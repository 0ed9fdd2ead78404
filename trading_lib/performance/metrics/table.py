"""The table of metrics: one entry each, and everything that shows, stores or judges a metric reads it here.

A new one is one more entry. It then stands in reports and ``--json``, on the tear sheet and the command line, in sweeps
and in MLflow, and performance.yaml may set it a target. A metric of your own needs no change of the system, see
docs/research/metrics.md.
"""

from __future__ import annotations

from trading_lib.performance.metrics import formulas
from trading_lib.performance.metrics.inputs import MetricInput
from trading_lib.performance.metrics.metric import Answer, Better, Bound, Metric, Missing, Requirement, Unit, table_of

# Historical value at risk and what lies beyond it: the worst 5 % of the days, which of fewer than 20 is none.
TAIL = 0.05
LEAST_FOR_TAIL = 20

TWO_SESSIONS = Requirement("fewer than two sessions", lambda run: len(run.returns) > 0)
TWO_RETURNS = Requirement("fewer than two returns", lambda run: len(run.returns) > 1)
TAIL_RETURNS = Requirement(f"fewer than {LEAST_FOR_TAIL} returns", lambda run: len(run.returns) >= LEAST_FOR_TAIL)
VARIATION = Requirement("the returns do not vary", lambda run: _sharpe(run) is not None)
SHORTFALL = Requirement("no return varies below the cash rate", lambda run: _sortino(run) is not None)
FALL = Requirement("it never fell", lambda run: formulas.max_drawdown(run.adjusted_nav) != 0)
ROUND_TRIP = Requirement("no round trip was closed", lambda run: bool(run.profits))
LOSS = Requirement("no round trip lost", lambda run: any(profit < 0 for profit in run.profits))
DAYS = Requirement("the days of the sessions are not known", lambda run: run.sessions is not None)
MONTH = Requirement("no month has a return", lambda run: len(run.months) > 0)
THREE_MONTHS = Requirement("fewer than three months", lambda run: len(run.months) > 2)
VARIED_MONTHS = Requirement("the months do not vary", lambda run: formulas.skewness(run.months) is not None)
BENCHMARK = Requirement("the benchmark has no price at the first session", lambda run: run.benchmark is not None)
RELATION = Requirement("the run or the benchmark does not vary", lambda run: _relation(run) is not None)


def _known(value: float | None) -> Answer:
    """Pass a figure on; requirements come before it, so that None is not expected."""
    return Missing("it cannot be computed") if value is None else value


def _sharpe(run: MetricInput) -> float | None:
    return formulas.sharpe_ratio(run.returns, run.known_cash_rate)


def _sortino(run: MetricInput) -> float | None:
    return formulas.sortino_ratio(run.returns, run.known_cash_rate)


def _relation(run: MetricInput) -> tuple[float, float] | None:
    if run.benchmark_returns is None:
        return None
    return formulas.beta_and_correlation(run.returns, run.benchmark_returns)


def _beta(run: MetricInput) -> Answer:
    relation = _relation(run)
    return _known(relation[0] if relation else None)


def _alpha(run: MetricInput) -> Answer:
    if run.benchmark_returns is None:
        return _known(None)
    return _known(formulas.jensen_alpha(run.returns, run.benchmark_returns, run.known_cash_rate))


def _calmar(run: MetricInput) -> Answer:
    annual = formulas.annual_return(run.adjusted_nav)
    return _known(None if annual is None else annual / formulas.max_drawdown(run.adjusted_nav))


def _profit_factor(run: MetricInput) -> float:
    return sum(p for p in run.profits if p > 0) / -sum(p for p in run.profits if p < 0)


METRICS = table_of(
    Metric(
        name="sessions",
        label="Sessions",
        unit=Unit.SESSIONS,
        better=Better.NEITHER,
        definition="sessions of the run, the first and the last included",
        compute=lambda run: len(run.nav),
    ),
    Metric(
        name="final_nav",
        label="Final value",
        unit=Unit.DOLLARS,
        better=Better.HIGHER,
        definition="net asset value at the last session",
        compute=lambda run: float(run.nav[-1]),
        compared=True,
    ),
    Metric(
        name="annual_return",
        label="Annual return",
        unit=Unit.PERCENT,
        better=Better.HIGHER,
        definition="geometric, time-weighted: `(last / first) ** (252 / returns) - 1`",
        needs=(TWO_SESSIONS,),
        compute=lambda run: _known(formulas.annual_return(run.adjusted_nav)),
        target=Bound(target=0.10, minimum=0.07),
        compared=True,
    ),
    Metric(
        name="annual_volatility",
        label="Annual volatility",
        unit=Unit.PERCENT,
        better=Better.LOWER,
        definition="sample standard deviation of daily simple returns x sqrt(252)",
        needs=(TWO_RETURNS,),
        compute=lambda run: _known(formulas.volatility(run.returns)),
        target=Bound(target=0.15, minimum=0.18),
        compared=True,
    ),
    Metric(
        name="sharpe",
        label="Sharpe ratio",
        unit=Unit.RATIO,
        better=Better.HIGHER,
        definition="mean daily return over the cash rate / its sample standard deviation x sqrt(252)",
        source="Sharpe 1994",
        needs=(TWO_RETURNS, VARIATION),
        compute=lambda run: _known(_sharpe(run)),
        target=Bound(target=1.0, minimum=0.7),
        compared=True,
    ),
    Metric(
        name="cash_rate",
        label="Average cash rate",
        unit=Unit.PERCENT,
        better=Better.NEITHER,
        definition="average annual cash rate of the sessions, 0 where none is known",
        compute=lambda run: float(run.cash_rate.mean()),
    ),
    Metric(
        name="max_drawdown",
        label="Maximum drawdown",
        unit=Unit.PERCENT,
        better=Better.LOWER,
        definition="largest fall from the running peak of closing values, apart from flows of capital, positive",
        compute=lambda run: formulas.max_drawdown(run.adjusted_nav),
        target=Bound(target=0.15, minimum=0.20),
        compared=True,
    ),
    Metric(
        name="calmar",
        label="Calmar ratio",
        unit=Unit.RATIO,
        better=Better.HIGHER,
        definition="`annual_return / max_drawdown`",
        source="Young 1991, there of the newest three years",
        needs=(TWO_SESSIONS, FALL),
        compute=_calmar,
        target=Bound(target=0.7, minimum=0.4),
        compared=True,
    ),
    Metric(
        name="win_rate",
        label="Win rate of closed round trips",
        unit=Unit.PERCENT,
        better=Better.HIGHER,
        definition="share of closed round trips (flat to flat in one asset) with a profit after commission",
        needs=(ROUND_TRIP,),
        compute=lambda run: sum(p > 0 for p in run.profits) / len(run.profits),
        target=Bound(target=0.52, minimum=0.48),
    ),
    Metric(
        name="profit_factor",
        label="Profit factor",
        unit=Unit.RATIO,
        better=Better.HIGHER,
        definition="profits of winning round trips / losses of losing ones",
        needs=(LOSS,),
        compute=_profit_factor,
        target=Bound(target=1.3, minimum=1.1),
    ),
    Metric(
        name="round_trips",
        label="Closed round trips",
        unit=Unit.COUNT,
        better=Better.NEITHER,
        definition="closed round trips, flat to flat in one asset",
        compute=lambda run: len(run.profits),
    ),
    Metric(
        name="monthly_turnover",
        label="Monthly turnover",
        unit=Unit.PERCENT,
        better=Better.LOWER,
        definition="half the traded value per 21 sessions / average net asset value",
        needs=(TWO_SESSIONS,),
        compute=lambda run: _known(formulas.monthly_turnover(run.traded, run.average_nav, len(run.returns))),
        target=Bound(target=0.30, minimum=0.50),
    ),
    Metric(
        name="annual_cost_drag",
        label="Annual cost drag",
        unit=Unit.PERCENT,
        better=Better.LOWER,
        definition="commission and slippage per year / average net asset value",
        needs=(TWO_SESSIONS,),
        compute=lambda run: run.costs / run.average_nav / run.years,
        target=Bound(target=0.01, minimum=0.02),
    ),
    Metric(
        name="trades",
        label="Trades",
        unit=Unit.COUNT,
        better=Better.NEITHER,
        definition="executions",
        compute=lambda run: len(run.trades.asset),
    ),
    Metric(
        name="sortino",
        label="Sortino ratio",
        unit=Unit.RATIO,
        better=Better.HIGHER,
        definition="mean daily return over the cash rate / root of the mean square of what returns fall short of it, "
        "over all returns, x sqrt(252)",
        source="Sortino and Price 1994",
        needs=(TWO_SESSIONS, SHORTFALL),
        compute=lambda run: _known(_sortino(run)),
        compared=True,
    ),
    Metric(
        name="var_95",
        label="VaR, 95 %, one day",
        unit=Unit.PERCENT,
        better=Better.LOWER,
        definition="value at risk: minus the 5 % quantile of daily returns, linear between two; positive for a loss",
        source="quantile of type 7 of Hyndman and Fan 1996",
        needs=(TAIL_RETURNS,),
        compute=lambda run: formulas.value_at_risk(run.returns, TAIL),
        compared=True,
    ),
    Metric(
        name="cvar_95",
        label="CVaR, 95 %, one day",
        unit=Unit.PERCENT,
        better=Better.LOWER,
        definition="conditional value at risk: average loss of the worst 5 % of daily returns, of which the one at the "
        "edge counts in part; positive for a loss",
        source="expected shortfall of Acerbi and Tasche 2002",
        needs=(TAIL_RETURNS,),
        compute=lambda run: formulas.expected_shortfall(run.returns, TAIL),
        compared=True,
    ),
    Metric(
        name="best_month",
        label="Best month",
        unit=Unit.PERCENT,
        better=Better.HIGHER,
        definition="largest return of a calendar month; the first and the last month count as far as the run has them",
        needs=(DAYS, MONTH),
        compute=lambda run: float(run.months.max()),
        compared=True,
    ),
    Metric(
        name="worst_month",
        label="Worst month",
        unit=Unit.PERCENT,
        better=Better.HIGHER,
        definition="smallest return of a calendar month",
        needs=(DAYS, MONTH),
        compute=lambda run: float(run.months.min()),
        compared=True,
    ),
    Metric(
        name="positive_months",
        label="Months with a gain",
        unit=Unit.PERCENT,
        better=Better.HIGHER,
        definition="share of the calendar months with a return above 0",
        needs=(DAYS, MONTH),
        compute=lambda run: float((run.months > 0).mean()),
        compared=True,
    ),
    Metric(
        name="monthly_skew",
        label="Skew of the months",
        unit=Unit.RATIO,
        better=Better.HIGHER,
        definition="sample skewness of the months' returns: "
        "`n / ((n - 1) * (n - 2)) * sum(((return - mean) / deviation) ** 3)`",
        source="SKEW of spreadsheets",
        needs=(DAYS, THREE_MONTHS, VARIED_MONTHS),
        compute=lambda run: _known(formulas.skewness(run.months)),
        compared=True,
    ),
    Metric(
        name="alpha",
        label="Alpha against the benchmark",
        unit=Unit.PERCENT,
        better=Better.HIGHER,
        definition="`252 * (mean(return - cash) - beta * mean(benchmark - cash))` of daily returns, not compounded",
        source="Jensen 1968",
        needs=(TWO_RETURNS, BENCHMARK, RELATION),
        compute=_alpha,
    ),
    Metric(
        name="beta",
        label="Beta to the benchmark",
        unit=Unit.RATIO,
        better=Better.NEITHER,
        definition="covariance of the daily returns with the benchmark's / variance of the benchmark's",
        source="Sharpe 1964",
        needs=(TWO_RETURNS, BENCHMARK, RELATION),
        compute=_beta,
    ),
)

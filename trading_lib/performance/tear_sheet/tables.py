"""The tear sheet's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trading_lib.domain.book.proceeds import RECORDED
from trading_lib.performance.analysis import Analysis
from trading_lib.performance.metrics.drawdowns import LISTED
from trading_lib.performance.metrics.metric import Better, Metric, MetricTable, Unit
from trading_lib.performance.metrics.targets import Verdict
from trading_lib.performance.periods import monthly_returns
from trading_lib.performance.significance.intervals import Interval
from trading_lib.performance.tear_sheet.charts import MONTHS
from trading_lib.performance.tear_sheet.markup import (
    MISSING,
    Column,
    Html,
    dollars,
    element,
    join,
    number,
    percent,
    table,
)
from trading_lib.performance.trading.executions import counted, thin_fills
from trading_lib.performance.trading.weight_cuts import NAMED

# A month of this size or more has the full colour.
FULL_COLOUR = 0.06
# Fills, and risk events, that a page lists: more would make it too heavy for a mail.
LONGEST_TABLE = 2500


# How a figure of each unit is written.
WRITTEN: Mapping[Unit, Callable[[float | None], str]] = {
    Unit.PERCENT: percent,
    Unit.RATIO: number,
    Unit.DOLLARS: dollars,
    Unit.SESSIONS: lambda value: number(value, 0),
    Unit.DAYS: lambda value: number(value, 0),
    Unit.COUNT: lambda value: number(value, 0),
}


def figure_text(metric: Metric, value: float | None) -> str:
    """Write a metric in its own unit."""
    return WRITTEN[metric.unit](value)


def metrics_table(analysis: Analysis) -> Html:
    """Every metric that has a target beside its confidence interval, target and minimum, then all the others."""
    rows = [_judged(analysis, analysis.table[verdict.metric], verdict) for verdict in analysis.verdicts]
    share = f"{analysis.intervals.confidence:.0%} interval" if analysis.intervals else "Interval"
    columns = (
        Column("Metric", number=False),
        Column("This run"),
        Column(share),
        Column("Target"),
        Column("Minimum"),
        Column("Verdict", number=False),
    )
    judged = table("Metrics, targets and minima as configured", columns, rows, class_="stacked")
    return join((judged, _further_metrics(analysis)))


def _judged(analysis: Analysis, metric: Metric, verdict: Verdict) -> Sequence[str]:
    found: Interval | None = getattr(analysis.intervals, metric.name, None) if analysis.intervals else None
    sign = "<" if metric.better is Better.LOWER else ">"
    return (
        _named(metric),
        _labelled("This run", figure_text(metric, verdict.value)),
        _labelled("Interval", interval_text(metric, found)),
        _labelled("Target", f"{sign} {figure_text(metric, verdict.target)}"),
        _labelled("Minimum", f"{sign} {figure_text(metric, verdict.minimum)}"),
        element("td", _verdict(verdict, analysis.metrics.missing.get(metric.name)), class_="verdict"),
    )


def _further_metrics(analysis: Analysis) -> Html:
    judged = {verdict.metric for verdict in analysis.verdicts}
    missing = analysis.metrics.missing
    rows = [
        (
            _named(metric),
            figure_text(metric, analysis.metrics[name]),
            f"not computable: {missing[name]}" if name in missing else "",
        )
        for name, metric in analysis.table.items()
        if name not in judged
    ]
    columns = (Column("Metric", number=False), Column("This run"), Column("", number=False))
    return table(f"Metrics without a target; alpha and beta against {analysis.config.benchmark}", columns, rows)


def _named(metric: Metric) -> Html:
    return element("span", metric.label, title=metric.definition.replace("`", ""))


def _labelled(name: str, text: str) -> Html:
    """Return a cell that says what it is where a narrow screen has no room for the head of the table."""
    return element("td", text, data_label=name)


def interval_text(metric: Metric, found: Interval | None) -> str:
    """Write an interval as its two ends."""
    return f"{figure_text(metric, found.low)} to {figure_text(metric, found.high)}" if found else MISSING


def _verdict(verdict: Verdict, reason: str | None) -> Html:
    if reason is not None:
        words, kind = f"not computable: {reason}", "middle"
    elif verdict.meets_target:
        words, kind = "✓ meets the target", "pass"
    elif verdict.meets_minimum:
        words, kind = "○ meets the minimum", "middle"
    else:
        words, kind = "✗ misses the minimum", "fail"
    return element("span", words, class_=kind)


def benchmark_table(analysis: Analysis) -> Html:
    """Show the run and every benchmark, figure by figure."""
    found = tuple(analysis.comparisons.values())
    every = [analysis.metrics, *(comparison.metrics for comparison in found)]
    rows = [
        (metric.label, *(figure_text(metric, metrics[name]) for metrics in every))
        for name, metric in analysis.table.items()
        if metric.compared
    ]
    rows.append(("Alpha of the run against it", MISSING, *(percent(c.alpha) for c in found)))
    rows.append(("Beta of the run to it", MISSING, *(number(c.beta) for c in found)))
    rows.append(("Correlation with the run", MISSING, *(number(c.correlation) for c in found)))
    columns = (Column("", number=False), Column("This run"), *(Column(name) for name in analysis.comparisons))
    return table("Benchmarks in the same sessions, with dividends and costs", columns, rows)


def drawdown_table(analysis: Analysis) -> Html:
    """List the worst drawdowns of the run, and beside them those of every benchmark."""
    curves = {"This run": analysis.drawdowns, **{name: c.drawdowns for name, c in analysis.comparisons.items()}}
    days = analysis.record.sessions
    rows = [
        (
            name,
            percent(one.depth),
            str(days[one.peak]),
            str(days[one.trough]),
            "not recovered" if one.recovered is None else str(days[one.recovered]),
            f"{one.length:,}",
        )
        for name, found in curves.items()
        for one in found[:LISTED]
    ]
    columns = (
        Column("Of", number=False),
        Column("Depth"),
        *(Column(name, number=False) for name in ("Peak", "Trough", "Recovered")),
        Column("Sessions"),
    )
    return table(f"The {LISTED} worst drawdowns of the run and of each benchmark, the deepest first", columns, rows)


def monthly_table(analysis: Analysis) -> Html:
    """Show the returns of all months as a heat map."""
    years, months = monthly_returns(analysis.record.sessions, analysis.record.adjusted_nav)
    rows = []
    for year, returns in zip(years, months, strict=True):
        whole = float(np.prod(1.0 + returns[np.isfinite(returns)]) - 1.0)
        rows.append((str(year), *(_heat(value) for value in returns), element("b", percent(whole))))
    columns = (Column("Year", number=False), *(Column(month) for month in MONTHS), Column("Year's return"))
    return table("Return by month; blue is a gain, orange a loss", columns, rows, class_="heat")


def _heat(value: float) -> Html:
    if not np.isfinite(value):
        return element("td", "")
    red, green, blue = (0, 114, 178) if value >= 0 else (213, 94, 0)
    # Up to this strength dark text stays readable on either colour.
    strength = min(abs(float(value)) / FULL_COLOUR, 1.0) * 0.55
    return element("td", percent(float(value)), style=f"background:rgba({red},{green},{blue},{strength:.2f})")


def year_table(analysis: Analysis) -> Html:
    """Figures of every calendar year."""
    rows = [
        (
            str(y.year),
            number(y.sessions, 0),
            percent(y.total_return),
            percent(y.annual_volatility),
            number(y.sharpe),
            percent(y.max_drawdown),
            percent(y.monthly_turnover),
            percent(y.cost_drag, 2),
            number(y.trades, 0),
            percent(y.average_invested, 0),
            str(y.max_risk_level),
        )
        for y in analysis.years
    ]
    names = ("Sessions", "Return", "Volatility", "Sharpe", "Max drawdown", "Turnover a month", "Costs", "Trades")
    columns = (
        Column("Year", number=False),
        *(Column(name) for name in (*names, "Average invested", "Highest level")),
    )
    return table("By calendar year; return and costs of the year itself, not annualised", columns, rows)


def regime_table(analysis: Analysis) -> Html:
    """Figures of every volatility regime."""
    rows = [
        (
            r.regime.value,
            number(r.sessions, 0),
            percent(r.share),
            percent(r.total_return),
            percent(r.annual_return),
            percent(r.annual_volatility),
            number(r.sharpe),
            percent(r.worst_session),
            percent(r.average_invested, 0),
        )
        for r in analysis.regimes
    ]
    names = ("Sessions", "Share", "Return", "Per 252 sessions", "Volatility", "Sharpe", "Worst session")
    columns = (Column("Regime", number=False), *(Column(name) for name in (*names, "Average invested")))
    return table("By ^VIX regime at the decision before each return", columns, rows)


def asset_table(analysis: Analysis) -> Html:
    """Profit of every traded asset; the last row adds up to the change of net asset value."""
    record, parts = analysis.record, analysis.attribution
    active = np.unique(record.trades.column)
    total = parts.total.sum(axis=0)
    sums = [values.sum(axis=0) for values in (parts.price, parts.dividends, -parts.commission, -parts.slippage, total)]
    sums[-1] = total
    rows = [
        (record.universe.symbols[i], *(dollars(float(values[i]), 2) for values in sums))
        for i in active[np.argsort(-total[active], kind="stable")]
    ]
    rows.append(("All", *(element("b", dollars(float(values.sum()), 2)) for values in sums)))
    columns = (
        Column("Asset", number=False),
        *(Column(name) for name in ("Prices", "Dividends", "Commission", "Slippage", "Total")),
    )
    moved = 0.0 if record.flows is None else float(record.flows.sum())
    change = dollars(float(record.nav[-1] - record.nav[0]) - moved, 2)
    apart = "" if record.flows is None else " apart from deposits and withdrawals"
    return table(f"Profit by asset; the total is the change of net asset value{apart}, {change}", columns, rows)


def limit_tables(clipping: Mapping[str, Any]) -> Html:
    """Show what was wanted, allowed and held on average, and what each limit took."""
    most_first = sorted(clipping["by_symbol"].items(), key=lambda item: item[1]["allowed"] - item[1]["wanted"])
    weights = [("All", clipping), *most_first]
    shares = [(name, *(percent(one[key]) for key in ("wanted", "allowed", "held"))) for name, one in weights]
    columns = (Column("Asset", number=False), Column("Wanted"), Column("Allowed"), Column("Held"))
    shown = table("Average share of the net asset value: before every limit, after them, and held", columns, shares)
    names = ("Sessions", "Average cut", "Largest cut", "On", "Most from")
    limits = []
    for one in clipping["limits"]:
        most = ", ".join(f"{name} {percent(cut['average_cut'])}" for name, cut in list(one["symbols"].items())[:NAMED])
        cuts = (percent(one["average_cut"]), percent(one["largest_cut"]))
        values = (f"{one['sessions']:,}", *cuts, one["largest_on"], most)
        cells = [_labelled(name, value) for name, value in zip(names, values, strict=True)]
        limits.append((one["limit"], one["words"], *cells))
    words = (Column("Limit", number=False), Column("What it is", number=False))
    heads = (*words, *(Column(name, number=name != names[-1]) for name in names))
    caption = (
        f"What limits took in the sessions they bound, of {clipping['sessions']:,} in all; of orders, what was left "
        "for later sessions"
    )
    return join((table(caption, heads, limits, class_="stacked"), shown))


def event_table(analysis: Analysis) -> Html:
    """List what risk control did."""
    events = analysis.record.events()
    rows = [
        (
            event.session.isoformat(),
            event.kind.replace("_", " "),
            event.symbol or "portfolio",
            f"{event.level_before} → {event.level_after}",
            event.resolved_session.isoformat() if event.resolved_session else "lasts",
            event.reason,
        )
        for event in events[-LONGEST_TABLE:]
    ]
    columns = tuple(Column(name, number=False) for name in ("Session", "Event", "Asset", "Level", "Over in", "Reason"))
    return table(_counted_rows(len(events), len(rows), "risk events"), columns, rows)


def execution_tables(analysis: Analysis) -> list[Html]:
    """Show what was cancelled, refused, or filled in a thin market; no table where there is nothing of it."""
    record, found = analysis.record, []
    if record.cancelled:
        rows = [(c.session.isoformat(), c.symbol, c.side.value, f"{c.quantity.normalize():,f}", c.reason)
                for c in record.cancelled]  # fmt: skip
        columns = _columns("Session", "Asset", "Side", "Quantity", "Reason")
        found.append(table(f"{counted(len(rows), 'order')} cancelled, whole or in part", columns, rows))
    if record.refused:
        kinds = [(kind, f"{count:,}") for kind, count in record.refused.items()]
        caption = f"{counted(sum(record.refused.values()), 'order')} refused by the pre-trade checks"
        found.append(table(caption, _columns("Reason", "Orders"), kinds))
    thin = thin_fills(record, analysis.config.volume_share)
    if thin:
        fills = [(t.day.isoformat(), t.symbol, t.side.value, f"{t.quantity.normalize():,f}", f"{t.volume:,.10g}")
                 for t in thin]  # fmt: skip
        caption = (
            f"Warning: {counted(len(fills), 'fill')} beyond {percent(analysis.config.volume_share)} of the bar's volume"
        )
        found.append(table(caption, _columns("Day", "Asset", "Side", "Quantity", "Volume"), fills))
    return found


def _columns(*names: str) -> tuple[Column, ...]:
    numbers = {"Quantity", "Volume", "Orders"}
    return tuple(Column(name, number=name in numbers) for name in names)


def trade_table(analysis: Analysis) -> Html:
    """Every fill with the reason of its order."""
    reasons = {order.client_order_id: order for order in analysis.record.orders()}
    rows, fills = [], analysis.record.fills
    for fill in fills[-LONGEST_TABLE:]:
        order = reasons.get(fill.client_order_id)
        closed = "recorded proceeds" if fill.broker == RECORDED else ""
        rows.append(
            (
                fill.session.isoformat(),
                fill.symbol,
                fill.side.value,
                f"{fill.quantity.normalize():,f}",
                f"{fill.price:,.4f}",
                dollars(float(fill.quantity * fill.price)),
                dollars(float(fill.commission), 2),
                order.purpose.value.lower() if order else closed or MISSING,
                order.reason if order else closed or MISSING,
            )
        )
    words = {"Session", "Asset", "Side", "Purpose", "Reason"}
    names = ("Session", "Asset", "Side", "Quantity", "Price", "Value", "Commission", "Purpose", "Reason")
    columns = tuple(Column(name, number=name not in words) for name in names)
    return table(_counted_rows(len(fills), len(rows), "fills"), columns, rows)


def _counted_rows(everything: int, shown: int, what: str) -> str:
    """Say how many there are, and where the others are when only the newest are shown."""
    more = f"; the newest {shown:,} are here, all of them in the run's export or report" if shown < everything else ""
    return f"{everything:,} {what}{more}"


def definitions(metrics: MetricTable) -> Html:
    """Say how every metric is defined."""
    sources = {name: f" ({metric.source})" if metric.source else "" for name, metric in metrics.items()}
    lines = (element("li", f"{m.label}: {m.definition.replace('`', '')}{sources[name]}") for name, m in metrics.items())
    return element("ul", *lines, class_="definitions")


def facts(pairs: dict[str, str]) -> Html:
    """Names and values as a definition list."""
    return element(
        "dl", *(element("div", join((element("dt", k), element("dd", v)))) for k, v in pairs.items()), class_="facts"
    )

"""The page: header, figures, tables and definitions in one file that opens without a network."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_lib.performance.analysis import Analysis
from trading_lib.performance.benchmarks import BENCHMARKS
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.tear_sheet import figures, tables
from trading_lib.performance.tear_sheet.markup import Html, dollars, element, join, number, percent
from trading_lib.performance.tear_sheet.style import SCRIPT, STYLE
from trading_lib.performance.trading.executions import counted, thin_fills
from trading_lib.performance.trading.weight_cuts import headline, is_loud

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What must be quoted beside any figure of a run.

    Attributes
    ----------
    notes
        What the data's source had to say, e.g. which files were used.
    missing
        What the rules read and the data does not have, one clause each.
    warnings
        What makes the figures doubtful, e.g. a strategy that failed in some sessions; shown in a box above them.
    strategy, settings
        The sleeves that ran, and every setting that is not as shipped.
    clipping
        What was wanted and what limits left of it, see `report_cuts`; empty: nothing is said about it.
    """

    title: str
    data_source: str
    config_hash: str
    code_version: str
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    strategy: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    clipping: Mapping[str, Any] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether any of the prices is made up."""
        return SIMULATED in self.data_source.lower()


def tear_sheet(analysis: Analysis, provenance: Provenance) -> str:
    """Write the page.

    Parameters
    ----------
    analysis
        With intervals; without them the column stays empty.

    Returns
    -------
    str
        A whole HTML document of one to two megabytes, of which half a megabyte is plotly's script, packed.
    """
    name = f"{provenance.title} of {provenance.strategy}" if provenance.strategy else provenance.title
    title = f"{name}: {analysis.record.sessions[0]} to {analysis.record.sessions[-1]}"
    parts = list(SECTIONS)
    if provenance.clipping:
        clipping = provenance.clipping
        parts.insert(1, ("limits", "Wanted and allowed", lambda _: tables.limit_tables(clipping), False))
    sections = [_section(*entry, analysis) for entry in parts]
    navigation = element("ul", *(element("li", element("a", name, href=f"#{key}")) for key, name, *_ in parts))
    main, arrays = _share_days(element("main", *sections, id="main"))
    body = join(
        (
            element("a", "Skip to the figures", href="#main", class_="skip"),
            _banner(provenance),
            _missing_box(provenance),
            element(
                "header", element("h1", title), _warnings(provenance), _facts(analysis, provenance), _cards(analysis)
            ),
            element("nav", navigation, aria_label="Sections"),
            main,
            arrays,
            _footer(analysis, provenance),
        )
    )
    head = join(
        (
            Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
            element("title", title),
            Html(f"<style>{STYLE}</style>"),
        )
    )
    script = Html(f'<script type="application/gzip" id="plotly">{_packed_plotly()}</script><script>{SCRIPT}</script>')
    return "<!DOCTYPE html>\n" + element("html", element("head", head), element("body", body, script), lang="en")


def _packed_plotly() -> str:
    """Read plotly's script for lines and bars, packed, as text; see plotly/LICENSE beside it."""
    return base64.b64encode((Path(__file__).parent / "plotly" / "plotly-basic.min.js.gz").read_bytes()).decode("ascii")


def _share_days(main: Html) -> tuple[Html, Html]:
    """Write the days, which nearly every line of every chart has, once for all of them."""
    known: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f'{{"$":{known.setdefault(found[0], len(known))}}}'

    shared = Html(re.sub(r'\{"dtype":"f8","bdata":"[A-Za-z0-9+/=]*"\}', number, main))
    packed = base64.b64encode(gzip.compress(f"[{','.join(known)}]".encode(), mtime=0)).decode("ascii")
    return shared, Html(f'<script type="application/gzip" id="arrays">{packed}</script>')


def _banner(provenance: Provenance) -> Html:
    if not provenance.simulated:
        return Html("")
    words = element("small", "The figures show that the system works. They say nothing about returns in any market.")
    return element("div", "SIMULATED PRICES: no real market is behind this page", words, class_="banner", role="note")


def _missing_box(provenance: Provenance) -> Html:
    if not provenance.missing:
        return Html("")
    clauses = element("ul", *(element("li", clause) for clause in provenance.missing))
    return element(
        "div", "Missing from the data, and therefore from every figure:", clauses, class_="missing", role="note"
    )


def _warnings(provenance: Provenance) -> Html:
    clipping = provenance.clipping
    loud = [f"CUT BY LIMITS: {headline(clipping)}"] if clipping and is_loud(clipping) else []
    lines = [element("li", line) for line in (*loud, *provenance.warnings)]
    if not lines:
        return Html("")
    return element("ul", *lines, class_="warnings", role="note", aria_label="Warnings")


def _facts(analysis: Analysis, provenance: Provenance) -> Html:
    record = analysis.record
    source = provenance.data_source + (" (SIMULATED)" if provenance.simulated else "")
    evidence = analysis.sharpe
    cost_drag = percent(analysis.metrics["annual_cost_drag"], 2)
    pairs = {
        **_strategy(provenance),
        "Data": source,
        "Sessions": f"{record.sessions[0]} to {record.sessions[-1]} ({len(record.sessions):,})",
        "Starting capital": dollars(float(record.nav[0]), 2),
        **_capital(record),
        "Final value": dollars(float(record.nav[-1]), 2),
        "Costs": f"included: {dollars(analysis.costs.total)} ({cost_drag} a year)",
        "Cash rate": f"{percent(analysis.metrics['cash_rate'], 2)} on average; cash earns nothing",
        "Trials behind this run": f"{analysis.trials.count:,} ({analysis.trials.source})",
        "Deflated Sharpe ratio": f"{percent(evidence.deflated)} likely above 0" if evidence else "not computable",
        "Orders": _orders(analysis),
        "Configuration": provenance.config_hash,
        "Code": provenance.code_version,
    }
    return tables.facts(pairs)


def _capital(record: RunRecord) -> dict[str, str]:
    """Return what came and went of capital, which is in no return."""
    if record.flows is None:
        return {}
    came, went = record.flows[record.flows > 0].sum(), -record.flows[record.flows < 0].sum()
    return {
        "Deposits and withdrawals": f"{dollars(float(came), 2)} in, {dollars(float(went), 2)} out; returns are "
        "time-weighted"
    }


def _strategy(provenance: Provenance) -> dict[str, str]:
    """Return the sleeves, what differs from the settings as shipped, and what limits left of it."""
    if not provenance.strategy:
        return {}
    changed = [f"{name} = {value}" for name, value in provenance.settings.items() if name != "strategy"]
    facts = {
        "Strategy": f"{provenance.strategy} (per cent of the capital)",
        "Settings": "; ".join(changed) or "as shipped",
    }
    clipping = provenance.clipping
    # Said loudly, it stands above already.
    return facts | ({"Limits": headline(clipping)} if clipping and not is_loud(clipping) else {})


def _orders(analysis: Analysis) -> str:
    record = analysis.record
    thin, refused = len(thin_fills(record, analysis.config.volume_share)), sum(record.refused.values())
    fills = counted(len(record.fills), "fill")
    return (
        f"{fills}; {len(record.cancelled):,} cancelled, whole or in part; {refused:,} refused; "
        f"{thin:,} filled beyond {percent(analysis.config.volume_share)} of the bar's volume"
    )


def _cards(analysis: Analysis) -> Html:
    metrics, evidence = analysis.metrics, analysis.sharpe
    cards = (
        ("annual return", percent(metrics["annual_return"])),
        ("annual volatility", percent(metrics["annual_volatility"])),
        ("Sharpe ratio", number(metrics["sharpe"])),
        ("deflated Sharpe", percent(evidence.deflated, 0) if evidence else "\N{EN DASH}"),
        ("maximum drawdown", percent(metrics["max_drawdown"])),
        ("highest risk level", str(int(analysis.record.levels.max()))),
    )
    return element("ul", *(element("li", element("b", v), element("span", n)) for n, v in cards), class_="cards")


def _chart(key: str, figure: figures.Figure, caption: str, size: str = "") -> Html:
    """Return a chart with its data beside it; the script draws it."""
    # "<" never appears in the data, so nothing in it can end the script element.
    data = json.dumps(figure, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    chart = element("div", id=f"chart-{key}", class_=f"chart {size}".strip(), role="img", aria_label=caption)
    source = Html(f'<script type="application/json" data-chart="chart-{key}">{data}</script>')
    return element("figure", chart, source, element("figcaption", caption))


def _metrics(analysis: Analysis) -> Html:
    parts: list[str] = [tables.metrics_table(analysis)]
    found, evidence = analysis.intervals, analysis.sharpe
    if found:
        parts.append(
            element(
                "p",
                f"Intervals: stationary bootstrap, {found.samples:,} paths, average block {found.block_length:.1f} "
                f"sessions, seed {found.seed}. A path's drawdown depends on the order of its blocks, so the drawdown's "
                "interval need not hold the run's own.",
                class_="note",
            )
        )
    if evidence:
        parts.append(
            element(
                "p",
                f"Probabilistic Sharpe ratio {percent(evidence.probabilistic)}: how likely the true ratio is above 0, "
                f"given {evidence.returns:,} returns with skewness {number(evidence.skewness)} and kurtosis "
                f"{number(evidence.kurtosis)}. Deflated Sharpe ratio {percent(evidence.deflated)}: the same, after "
                f"{analysis.trials.count:,} trial{'s' * (analysis.trials.count != 1)}, of which the best of worthless "
                f"ones would show {number(evidence.threshold * 252**0.5)} a year. Variance of the trials: "
                f"{evidence.variance_source}.",
                class_="note",
            )
        )
    return join(parts)


def _benchmarks(analysis: Analysis) -> Html:
    absent = [benchmark.name for benchmark in BENCHMARKS if benchmark.name not in analysis.comparisons]
    missing = f" Without prices in this window: {', '.join(absent)}." if absent else ""
    caption = (
        "Each starts with the same capital, pays commission and slippage, and reinvests dividends. 60/40 and equal "
        f"weight return to their weights at the end of every month, SPY is bought once.{missing}"
    )
    return join((_chart("equity", figures.equity(analysis), caption, "tall"), tables.benchmark_table(analysis)))


def _drawdown(analysis: Analysis) -> Html:
    record = analysis.record
    levels = ", ".join(
        f"{int((record.levels == level).sum()):,} at level {level}"
        for level in range(1, 5)
        if (record.levels == level).any()
    )
    fall = percent(analysis.metrics["max_drawdown"])
    caption = f"Largest fall {fall}. Shaded: sessions above risk level 0 ({levels or 'none'})."
    return join((_chart("drawdown", figures.drawdown(analysis), caption, "short"), tables.drawdown_table(analysis)))


def _rolling(analysis: Analysis) -> Html:
    caption = f"Over the newest {analysis.config.rolling_sessions} sessions, annualised."
    return _chart("rolling", figures.rolling(analysis), caption)


def _exposure(analysis: Analysis) -> Html:
    average = percent(float(analysis.record.invested.mean()), 0)
    caption = (
        f"Weights at the decisions, thinned out in long runs; {average} of the net asset value was invested on average."
    )
    return _chart("exposure", figures.exposure(analysis), caption, "tall")


def _costs(analysis: Analysis) -> Html:
    costs = analysis.costs
    drag = percent(analysis.metrics["annual_cost_drag"], 2)
    caption = (
        f"{dollars(costs.traded)} traded; commission {dollars(costs.commission)} and slippage "
        f"{dollars(costs.slippage)}, together {drag} of the average net asset "
        "value a year. Turnover is half the traded value."
    )
    return _chart("costs", figures.turnover_and_costs(analysis), caption)


def _attribution(analysis: Analysis) -> Html:
    sleeves = ", ".join(f"{name} {dollars(float(p.sum()))}" for name, p in analysis.sleeves.items()) or "none"
    return join(
        (
            element(
                "div",
                _chart("assets", figures.attribution_by_asset(analysis), "By asset, the whole window."),
                _chart("sleeves", figures.attribution_by_sleeve(analysis), f"By sleeve: {sleeves}."),
                class_="pair",
            ),
            tables.asset_table(analysis),
        )
    )


def _periods(analysis: Analysis) -> Html:
    return join((tables.year_table(analysis), tables.regime_table(analysis)))


def _trades(analysis: Analysis) -> Html:
    return join((*tables.execution_tables(analysis), tables.trade_table(analysis)))


# Key of the link, name, what to show, and whether the table is long enough to scroll in a box of its own.
SECTIONS: tuple[tuple[str, str, Callable[[Analysis], Html], bool], ...] = (
    ("metrics", "Metrics and targets", _metrics, False),
    ("equity", "Equity and benchmarks", _benchmarks, False),
    ("drawdown", "Drawdown and risk levels", _drawdown, False),
    ("rolling", "Rolling risk and return", _rolling, False),
    ("months", "Months", tables.monthly_table, False),
    ("periods", "Years and regimes", _periods, False),
    ("exposure", "Exposure", _exposure, False),
    ("costs", "Turnover and costs", _costs, False),
    ("attribution", "Attribution", _attribution, False),
    ("events", "Risk events", tables.event_table, True),
    ("trades", "Trades", _trades, True),
)


def _section(key: str, name: str, show: Callable[[Analysis], Html], long: bool, analysis: Analysis) -> Html:
    content = element("div", show(analysis), class_="tall-table") if long else show(analysis)
    return element("section", element("h2", name, id=f"{key}-title"), content, id=key, aria_labelledby=f"{key}-title")


def _footer(analysis: Analysis, provenance: Provenance) -> Html:
    notes = [element("li", note) for note in provenance.notes]
    words = (
        "A year has 252 sessions. The cash rate of a return is the one known at its start. Orders decided after a "
        "close trade at the next opening with slippage. Past results, real or simulated, are no promise."
    )
    source = element("p", f"Data: {provenance.data_source}. Configuration {provenance.config_hash}, code "
                          f"{provenance.code_version}.")  # fmt: skip
    definitions = tables.definitions(analysis.table)
    return element("footer", element("p", words), definitions, source, element("ul", *notes) if notes else "")

"""The tear sheet: well-formed, self-contained, escaped, complete, and its figures are those of the run."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from datetime import date
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from tests.builders.markets import CALENDAR
from tests.builders.orders import fill
from tests.builders.runs import finished_run, quiet_record
from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.domain.decision.risk import RiskEvent
from trading_lib.performance.analysis import Analysis, analyse
from trading_lib.performance.config import IntervalConfig, PerformanceConfig
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.significance.deflated_sharpe import Trials
from trading_lib.performance.tear_sheet import figures
from trading_lib.performance.tear_sheet.markup import MINUS, MISSING, Html, dollars, element, number, percent
from trading_lib.performance.tear_sheet.page import SECTIONS, Provenance, tear_sheet

CONFIG = PerformanceConfig(intervals=IntervalConfig(samples=100))
PROVENANCE = Provenance("Backtest", "files:prices", "abc123", "1.0+rev", ("quarantined: 3 bars",))
VOID = {"meta", "link", "br", "img", "input", "hr"}
NASTY = "<script>alert('x')</script> & \"quoted\""
CHARTS = (
    figures.equity,
    figures.drawdown,
    figures.rolling,
    figures.exposure,
    figures.turnover_and_costs,
    figures.attribution_by_asset,
    figures.attribution_by_sleeve,
)


class Page(HTMLParser):
    """Checks that every element is closed, and gathers text, attributes and the charts' data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.charts: dict[str, Any] = {}
        self.packed: dict[str, str] = {}
        self._chart: str | None = None
        self._packed: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self._chart = found.get("data-chart")
        self._packed = found.get("id") if found.get("type") == "application/gzip" else None
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)
        self._chart = self._packed = None

    def handle_data(self, data: str) -> None:
        if self._chart:
            self.charts[self._chart] = json.loads(data)
        elif self._packed:
            self.packed[self._packed] = gzip.decompress(base64.b64decode(data)).decode()
        elif self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def of(record: RunRecord, trials: Trials | None = None) -> Analysis:
    return analyse(record, CONFIG, trials).with_intervals()


@cache
def usual() -> tuple[Analysis, str]:
    analysis = of(finished_run()[1], Trials(37, (0.01, 0.05, 0.02), "MLflow"))
    return analysis, tear_sheet(analysis, PROVENANCE)


def test_the_page_is_well_formed_and_every_chart_has_a_place_and_a_description() -> None:
    page = Page(usual()[1])
    assert page.problems == []
    assert page.open == []
    places = {found["id"]: found for tag, found in page.tags if "chart" in (found.get("class") or "").split()}
    assert set(page.charts) == set(places)
    assert len(places) == len(CHARTS)
    assert all(found["role"] == "img" and found["aria-label"] for found in places.values())
    identities = [found["id"] for _, found in page.tags if "id" in found]
    assert len(set(identities)) == len(identities)
    for _, found in page.tags:
        assert found.get("href", "#main").startswith("#")
        assert (found.get("href") or "#main")[1:] in identities


def test_nothing_is_loaded_from_anywhere_and_plotly_is_there_once() -> None:
    page = Page(usual()[1])
    assert not [found for tag, found in page.tags if found.get("src") or tag in ("link", "iframe", "img")]
    text = usual()[1]
    assert page.packed["plotly"].startswith("/**\n* plotly.js (basic - minified) v")
    assert "Licensed under the MIT license" in page.packed["plotly"][:300]
    assert text.count('id="plotly"') == 1
    assert not re.search(r"https?://|@import|url\(", text)


def test_a_long_run_has_a_page_that_a_mail_can_carry() -> None:
    days = CALENDAR.between(date(2007, 1, 3), date(2022, 12, 30))
    record, fills = finished_run()[1], finished_run()[1].fills
    rows = np.resize(np.arange(len(record.sessions)), len(days))
    # Values that no packing makes small, and as many fills as sixteen years bring.
    noise = np.random.default_rng(1).lognormal(0.0, 0.001, len(days)).cumprod()
    names = ("invested", "levels", "regimes", "quantity", "close", "mark_return", "dividend", "split", "cash_rate")
    several = {name: getattr(record, name)[rows] for name in names}
    held = {name: owned[rows] for name, owned in record.sleeves.items()}
    many = tuple(replace(fills[k % len(fills)], session=days[k].item()) for k in range(3500))
    long = replace(
        record, sessions=days, nav=1e5 * noise, fills=many, sleeves=held, month_end=CALENDAR.month_ends(days),
        funding=None, fill_volume=None, **several,
    )  # fmt: skip
    text = tear_sheet(analyse(long, CONFIG), PROVENANCE)
    assert len(text) < 2_000_000
    assert "3,500 fills; the newest 2,500 are here" in text


def test_the_strategy_and_what_limits_cut_from_it_stand_in_the_header() -> None:
    share = {"wanted": 1.0, "allowed": 0.4, "held": 0.39}
    limit = {
        "limit": "max_weight", "words": "cap of one asset", "of_orders": False, "sessions": 250, "average_cut": 0.6,
        "largest_cut": 0.6, "largest_on": "2022-01-03",
        "symbols": {"SPY": {"sessions": 250, "average_cut": 0.6, "largest_cut": 0.6}},
    }  # fmt: skip
    clipping = {**share, "sessions": 252, "sessions_cut": 250, "limits": [limit], "by_symbol": {"SPY": share}}
    settings = {"strategy": "dual 100", "sleeves.dual": "1", "strategy.signals.momentum_high": "0.12"}
    told = replace(PROVENANCE, strategy="dual 100", settings=settings, clipping=clipping)
    text = Page(tear_sheet(of(finished_run()[1]), told)).text
    assert "Backtest of dual 100: " in text
    assert "strategy.signals.momentum_high = 0.12" in text
    assert "CUT BY LIMITS: wanted 100.0% of net asset value on average, allowed 40.0%, held 39.0%" in text
    assert "Wanted and allowed" in text
    quiet = {**clipping, **dict.fromkeys(share, 0.39), "limits": [], "by_symbol": {}, "sessions_cut": 0}
    text = Page(tear_sheet(of(finished_run()[1]), replace(told, clipping=quiet))).text
    assert "CUT BY LIMITS" not in text
    assert "targets were cut in 0 of 252 sessions" in text


def test_every_section_the_design_asks_for_is_there() -> None:
    page = Page(usual()[1])
    assert [key for key, *_ in SECTIONS] == [
        "metrics", "equity", "drawdown", "rolling", "months", "periods", "exposure", "costs", "attribution", "events",
        "trades",
    ]  # fmt: skip
    for key, name, *_ in SECTIONS:
        assert ("section", key) in [(tag, found.get("id")) for tag, found in page.tags]
        assert name in page.text
    tables = [found for tag, found in page.tags if tag == "table"]
    captions = [found for tag, found in page.tags if tag == "caption"]
    assert len(tables) == len(captions) >= 8


def test_the_page_states_where_its_figures_come_from() -> None:
    analysis, text = usual()
    page = Page(text)
    record = analysis.record
    for words in (
        "files:prices", "abc123", "1.0+rev", "37 (MLflow)", "quarantined: 3 bars",
        f"{record.sessions[0]} to {record.sessions[-1]}",
    ):  # fmt: skip
        assert words in page.text, words
    assert analysis.sharpe
    assert f"Deflated Sharpe ratio {percent(analysis.sharpe.deflated)}" in page.text
    assert "after 37 trials" in page.text
    assert "sample variance over the trials of the same window" in page.text


def test_simulated_prices_are_said_loudly_and_real_ones_are_not() -> None:
    analysis, real = usual()
    assert "SIMULATED" not in Page(real).text
    page = Page(tear_sheet(analysis, replace(PROVENANCE, data_source="simulated")))
    assert page.text.count("SIMULATED") >= 2
    assert any(found.get("class") == "banner" for _, found in page.tags)


def test_what_the_data_lacks_stands_in_a_box_above_the_figures() -> None:
    analysis, complete = usual()
    assert 'class="missing"' not in complete
    lacking = ("no prices for GLD", "no ^VIX: all sessions count as HIGH_VOL")
    page = tear_sheet(analysis, replace(PROVENANCE, missing=lacking))
    box = page.index('class="missing"')
    assert box < page.index("no prices for GLD") < page.index("no ^VIX: all sessions") < page.index("<header")


def test_metrics_stand_beside_bounds_intervals_and_verdicts() -> None:
    analysis, text = usual()
    words = Page(text).text
    assert analysis.intervals
    for verdict in analysis.verdicts:
        if verdict.metric == "annual_return":
            low, high = analysis.intervals.annual_return.low, analysis.intervals.annual_return.high
            judged = "meets the target" if verdict.meets_target else "meets" if verdict.meets_minimum else "misses"
            row = f"Annual return {percent(verdict.value)} {percent(low)} to {percent(high)} > 10.0% > 7.0%"
            assert row in words
            assert judged in words[words.index(row) + len(row) :][:30]
    assert "90% interval" in words


def test_every_trade_and_risk_event_is_listed() -> None:
    analysis, text = usual()
    words = Page(text).text
    assert f"{len(analysis.record.fills):,} fills" in words
    assert f"{len(analysis.record.events()):,} risk events" in words
    last, order = analysis.record.fills[-1], analysis.record.orders()
    reasons = {one.client_order_id: one.reason for one in order}
    assert " ".join(reasons[last.client_order_id].split()) in words
    assert analysis.record.events()[-1].reason in words


def test_the_attribution_adds_up_on_the_page() -> None:
    analysis, text = usual()
    change = dollars(float(analysis.record.nav[-1] - analysis.record.nav[0]), 2)
    words = Page(text).text
    assert f"the change of net asset value, {change}" in words
    table = words[words.index("the change of net asset value") : words.index("risk events")]
    assert table.count(change) == 2


def numbers(encoded: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(encoded["bdata"]), encoded["dtype"])


def test_the_charts_show_the_runs_own_figures() -> None:
    analysis, text = usual()
    charts = Page(text).charts
    record = analysis.record
    equity = charts["chart-equity"]["data"]
    assert [trace["name"] for trace in equity] == ["this run", "60/40 SPY/TLT", "equal weight", "SPY"]
    assert numbers(equity[0]["y"]) == pytest.approx(record.nav, rel=1e-6)
    shared = json.loads(Page(text).packed["arrays"])
    days = numbers(shared[equity[0]["x"]["$"]]).astype(np.int64).astype("datetime64[ms]").astype("datetime64[D]")
    assert (days == record.sessions).all()
    assert charts["chart-equity"]["layout"]["yaxis"]["type"] == "log"
    assert numbers(charts["chart-drawdown"]["data"][0]["y"]).min() == pytest.approx(-analysis.metrics["max_drawdown"])
    stacked = sum(numbers(trace["y"]) for trace in charts["chart-exposure"]["data"])
    assert stacked == pytest.approx(np.ones(len(stacked)), abs=1e-5)
    profit = {trace["name"]: numbers(trace["x"]) for trace in charts["chart-assets"]["data"]}
    assert profit["total"].sum() == pytest.approx(record.nav[-1] - record.nav[0], abs=0.1)
    assert profit["total"] == pytest.approx(profit["prices"] + profit["dividends"] + profit["costs"], abs=0.01)


def test_each_span_of_a_risk_level_is_shaded() -> None:
    levels = np.zeros(30, np.int8)
    levels[3:5], levels[5], levels[20:] = 1, 2, 1
    record = quiet_record(30, levels=levels, nav=np.linspace(1000, 900, 30))
    found = figures.drawdown(of(record))
    spans = [(s["x0"], s["x1"], s["fillcolor"]) for s in found["layout"]["shapes"]]
    day = 86_400_000
    start = record.sessions.astype("datetime64[ms]").astype(np.int64)
    assert [(a, b) for a, b, _ in spans] == [
        (start[3], start[4] + day),
        (start[20], start[29] + day),
        (start[5], start[5] + day),
    ]
    assert len({colour for *_, colour in spans}) == 2
    assert [trace["name"] for trace in found["data"]][1:] == [
        "level 1: 12 sessions",
        "level 2: 1 session",
        "SPY",
    ]


def test_long_runs_are_thinned_out_where_they_are_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    analysis, _ = usual()
    assert len(numbers(figures.exposure(analysis)["data"][0]["x"])) == len(analysis.record.sessions)
    monkeypatch.setattr(figures, "STACKED_POINTS", 100)
    thinned = figures.exposure(analysis)["data"]
    assert 50 < len(numbers(thinned[0]["x"])) <= 100
    assert sum(numbers(trace["y"]) for trace in thinned) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("chart", CHARTS)
def test_plotly_accepts_the_figures(chart: Any) -> None:
    from plotly import graph_objects as graphs

    for analysis in (usual()[0], of(quiet_record(30))):
        graphs.Figure(chart(analysis))


def nasty_record() -> RunRecord:
    record = quiet_record(30)
    day = record.sessions[3].item()
    order = Order(
        "o-1", "book", day, "SPY", Side.BUY, fill(Side.BUY, "SPY", "1", "1").quantity, fill(
            Side.BUY, "SPY", "1", "1"
        ).price, fill(Side.BUY, "SPY", "1", "1").commission, 0.1, OrderPurpose.REBALANCE, NASTY,
    )  # fmt: skip
    event = RiskEvent(day, NASTY, NASTY, 0, 1, NASTY)
    bought = replace(fill(Side.BUY, "SPY", "1", "100"), session=day)
    return replace(record, orders=lambda: (order,), fills=(bought,), events=lambda: (event,))


def test_text_from_data_cannot_become_markup() -> None:
    record = replace(nasty_record(), sleeves={NASTY: np.zeros((30, len(quiet_record().universe)))})
    provenance = Provenance(NASTY, NASTY, NASTY, NASTY, (NASTY,))
    text = tear_sheet(of(record, Trials(2, (), NASTY)), provenance)
    page = Page(text)
    assert page.problems == []
    assert "<script>alert" not in text
    assert page.text.count(NASTY) >= 8
    harmless = Page(usual()[1])
    scripts = [sum(tag == "script" for tag, _ in p.tags) for p in (page, harmless)]
    assert scripts[0] == scripts[1]
    assert page.charts["chart-sleeves"]["data"][0]["name"] == NASTY


@pytest.mark.parametrize("sessions", [1, 2, 30])
def test_a_run_in_which_nothing_happened_has_a_page_too(sessions: int) -> None:
    page = Page(tear_sheet(of(quiet_record(sessions)), PROVENANCE))
    assert page.problems == []
    assert "not computable" in page.text
    assert "0 fills" in page.text
    assert "nan" not in page.text.lower().split()


def test_elements_escape_what_is_not_markup() -> None:
    inner = element("b", '1 < 2 & "3"')
    assert inner == "<b>1 &lt; 2 &amp; &quot;3&quot;</b>"
    assert element("p", inner, " > ", aria_label='a "b"', class_="c") == (
        '<p aria-label="a &quot;b&quot;" class="c"><b>1 &lt; 2 &amp; &quot;3&quot;</b> &gt; </p>'
    )
    assert element("p", Html("<i>x</i>")) == "<p><i>x</i></p>"


def test_numbers_read_well() -> None:
    assert percent(-0.1234) == f"{MINUS}12.3%"
    assert percent(-0.0001) == "0.0%"
    assert number(-1234.5) == f"{MINUS}1,234.50"
    assert dollars(-1234.56) == f"{MINUS}$1,235"
    assert dollars(-0.001, 2) == "$0.00"
    assert [show(None) for show in (percent, number, dollars)] == [MISSING] * 3
    assert [show(float("nan")) for show in (percent, number, dollars)] == [MISSING] * 3


def test_every_metric_is_shown_and_defined_and_what_has_a_target_comes_first() -> None:
    analysis, text = usual()
    page = Page(text)
    rows = re.findall(r'<tr><th scope="row"><span title="[^"]*">([^<]*)</span></th>', text)
    assert sorted(rows) == sorted(metric.label for metric in METRICS.values())
    assert rows[: len(analysis.verdicts)] == [METRICS[verdict.metric].label for verdict in analysis.verdicts]
    for metric in METRICS.values():
        assert f"{metric.label}: {metric.definition.replace('`', '')}" in page.text


def test_what_cannot_be_computed_says_why() -> None:
    text = Page(tear_sheet(of(quiet_record(1)), PROVENANCE)).text
    assert "not computable: fewer than two returns" in text
    assert "not computable: no round trip was closed" in text


def test_the_drawdowns_of_the_benchmarks_stand_beside_those_of_the_run() -> None:
    analysis, text = usual()
    page = Page(text)
    days, curves = analysis.record.sessions, {"This run": analysis.drawdowns}
    curves |= {name: comparison.drawdowns for name, comparison in analysis.comparisons.items()}
    assert set(curves) == {"This run", "60/40 SPY/TLT", "equal weight", "SPY"}
    for name, found in curves.items():
        for one in found[:5]:
            end = "not recovered" if one.recovered is None else str(days[one.recovered])
            row = (name, percent(one.depth), str(days[one.peak]), str(days[one.trough]), end, str(one.length))
            assert " ".join(row) in page.text
    charts = page.charts["chart-drawdown"]["data"]
    spy = next(trace for trace in charts if trace["name"] == "SPY")
    assert numbers(spy["y"]).min() == pytest.approx(-analysis.comparisons["SPY"].drawdowns[0].depth, rel=1e-6)

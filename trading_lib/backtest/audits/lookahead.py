"""The lookahead audit: nothing that was decided may depend on what became known later.

See docs/specification.md#lookahead-audit.

The whole history is run once. Then it is cut at the decision of some of its sessions, the data is assembled from what
was known then, and those sessions are decided again from the same book. A result that differs used information from the
future. Where orders were decided, data after the cut is also replaced by garbage, which finds what a missing row would
merely make fail, and which an order has to notice: its price is that of the next opening and of nothing else.

A strategy in the same process could reach the whole history in memory, whatever it is given. The caller may therefore
have the cut sessions decided elsewhere (``alone``), and what a strategy reads besides is for the caller to watch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date

import numpy as np

from trading_lib.backtest.audits.differences import (
    NOT_IN_VIEW,
    RESTS_ON,
    Difference,
    Layer,
    data_differences,
    outcome_differences,
)
from trading_lib.backtest.audits.lookahead_report import Check, Finding, LookaheadReport
from trading_lib.backtest.audits.sleeve_faults import without_rule_faults
from trading_lib.backtest.audits.truncation import RawHistory
from trading_lib.backtest.compiled.run import can_loop
from trading_lib.backtest.engine import run_backtest
from trading_lib.decision_config import DecisionConfig
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import SessionOutcome, trade_session, trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.strategies.config import SleeveConfig
from trading_lib.strategies.registry import BUILT_IN

# Raw observations and the last session of the run -> its `SessionInput`; what is audited happens inside.
Build = Callable[[RawHistory, date], SessionInput]
Progress = Callable[[str], None]
# Inside this context users' strategies decide in a process that holds no history after the session.
Alone = Callable[[], AbstractContextManager[None]]

DEFAULT_CUTS = 50
DEFAULT_COMPLETE_RUNS = 2
# Garbage this many sessions past the cut is enough: the cut itself removes everything.
SCRAMBLED_SESSIONS = 15
SAME_BAR_FILL = "same-bar fill"
FILL_PAST_OPENING = "fill past its opening"
COMPILED_LOOP = "compiled loop"


def audit_lookahead(
    history: RawHistory,
    build: Build,
    first: date,
    last: date,
    cuts: int = DEFAULT_CUTS,
    seed: int = 0,
    complete_runs: int = DEFAULT_COMPLETE_RUNS,
    everything: DecisionConfig | None = None,
    progress: Progress = lambda line: None,
    alone: Alone = nullcontext,
) -> LookaheadReport:
    """Audit data, factors, regime, every sleeve (those without a budget too), orders, fills and net asset value.

    Parameters
    ----------
    first, last
        The window of the run that is cut.
    cuts
        How many sessions to cut at: a third each with orders, at month ends, and any.
    complete_runs
        At how many of them the whole run up to the cut is done again.
    everything
        Configuration of the second run, in which every sleeve is audited; default `every_sleeve` of the data's.
    alone
        Entered where sessions are decided on cut history, one after another in ascending order.

    Raises
    ------
    SessionError
        When the data does not cover the window.
    """
    audit = _Audit(history, build, first, last, everything, alone)
    audit.whole_loop()
    progress(f"ran {len(audit.rows)} sessions, {first} to {last}, with {', '.join(audit.sleeves)}")
    chosen = choose_cuts(audit.recorded[0], audit.rows, audit.full.panel.month_end, cuts, seed)
    again = set(chosen[np.linspace(0, len(chosen) - 1, complete_runs + 2).astype(int)[1:-1]].tolist())
    for number, row in enumerate(chosen.tolist()):
        audit.cut(row, seed + row, run_again=row in again)
        if (number + 1) % 10 == 0 or number + 1 == len(chosen):
            progress(f"{number + 1} of {len(chosen)} cuts compared, {len(audit.findings)} findings")
    return audit.report(chosen, len(again))


def every_sleeve(config: DecisionConfig) -> DecisionConfig:
    """Give every sleeve of the configuration and every built-in strategy the same budget."""
    listed = config.strategy.sleeves
    taken = {sleeve.name for sleeve in listed} | {sleeve.strategy for sleeve in listed}
    unlisted = [SleeveConfig(name=name, strategy=name, budget=0.0) for name in sorted(BUILT_IN - taken)]
    sleeves = (*listed, *unlisted)
    share = 1.0 / len(sleeves)
    equal = tuple(sleeve.model_copy(update={"budget": share}) for sleeve in sleeves)
    strategy = config.strategy.model_copy(update={"sleeves": equal})
    return config.model_copy(update={"strategy": strategy})


def choose_cuts(
    outcomes: Sequence[SessionOutcome], rows: range, month_end: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """Draw ascending rows to cut at: where orders were decided, at month ends, and anywhere; never the last row."""
    generator = np.random.default_rng(seed)
    candidates = np.arange(rows.start, rows.stop - 1)
    trading = np.array([bool(outcome.end_of_day.working) for outcome in outcomes[:-1]], dtype=np.bool_)
    chosen: set[int] = set()
    for pool, share in ((candidates[trading], 3), (candidates[month_end[candidates]], 2), (candidates, 1)):
        left = np.setdiff1d(pool, np.fromiter(chosen, np.int64, len(chosen)))
        missing = (count - len(chosen) + share - 1) // share
        chosen |= set(generator.choice(left, min(missing, len(left)), replace=False).tolist())
    return np.array(sorted(chosen), dtype=np.int64)


class _Audit:
    """The run on the whole history, and the differences found so far."""

    def __init__(
        self,
        history: RawHistory,
        build: Build,
        first: date,
        last: date,
        everything: DecisionConfig | None,
        alone: Alone,
    ) -> None:
        self._history, self._build, self._alone = history, build, alone
        self.full = build(history, last)
        self.rows = window_rows(self.full.panel, self.full.calendar, first, last)
        # As configured, and with every sleeve, for one without a budget decides nothing in the first.
        self._configs = (self.full.config, everything or every_sleeve(self.full.config))
        self.recorded = [self._run(self.full, config, self.rows) for config in self._configs]
        self.sleeves = tuple(self.recorded[1][0].decision.targets.sleeves)
        self.findings: dict[tuple[Layer, str], Finding] = {}
        self._cuts_found: dict[tuple[Layer, str], set[date]] = {}
        self._fills_checked = self._scrambles = 0

    def cut(self, row: int, seed: int, run_again: bool) -> None:
        """Cut at the decision of one session and compare; where it decided orders, scramble what came later as well."""
        day: date = self.full.panel.sessions[row].item()
        truncated = self._build(self._history.known_at(self.full.calendar.decision_time(day)), day)
        self._compare(self.full, Check.REPEATED, row)
        with self._alone():
            self._compare(truncated, Check.CUT, row)
        if self.recorded[0][row - self.rows.start].end_of_day.working:
            self._scramble(row, seed)
        if run_again:
            self._note(self._complete_run(truncated, row), Check.COMPLETE_RUN, day)
            self._note(self._loop_problems(truncated, row), Check.LOOP, day)

    def _scramble(self, row: int, seed: int) -> None:
        """Compare under garbage in place of the later data, every second time with the true next openings."""
        panel, calendar = self.full.panel, self.full.calendar
        kept_openings = self._scrambles % 2 == 1
        self._scrambles += 1
        day: date = panel.sessions[row].item()
        until: date = panel.sessions[min(row + SCRAMBLED_SESSIONS, self.rows.stop - 1)].item()
        openings = panel.sessions[[row, row + 1]] if kept_openings else None
        moments = (calendar.decision_time(day), calendar.decision_time(until))
        scrambled = self._build(self._history.scrambled_after(*moments, seed, openings), until)
        self._compare(scrambled, Check.SCRAMBLED, row)
        self._note(self._fill_problems(scrambled, row, kept_openings), Check.OPENING, day)

    def _compare(self, data: SessionInput, check: Check, row: int) -> None:
        day: date = self.full.panel.sessions[row].item()
        seen = list(data_differences(self.full, data, row)) if data is not self.full else []
        self._note([*seen, *self._replayed(data, 0, row)], check, day)
        # With every sleeve, only the sleeves are of interest: the rest is audited as configured.
        self._note([*seen, *self._replayed(data, 1, row)], check, day, keep=(Layer.SLEEVE,))

    def whole_loop(self) -> None:
        """Compare the compiled loop over the whole window with the run that was made session by session."""
        last = self.rows.stop - 1
        self._note(self._loop_problems(self.full, last), Check.LOOP, self.full.panel.sessions[last].item())

    def report(self, chosen: np.ndarray, complete_runs: int) -> LookaheadReport:
        """Order the findings: causes before consequences, then by layer and date."""
        layers = list(Layer)
        findings = sorted(
            (replace(f, times=len(self._cuts_found[key])) for key, f in self.findings.items()),
            key=lambda f: (not f.origin, layers.index(f.difference.layer), f.difference.session, f.difference.name),
        )
        faults: dict[str, int] = {}
        for outcome in self.recorded[1]:
            for name, record in outcome.decision.targets.sleeves.items():
                if any(event.kind == "sleeve_fault" for event in record.target.events):
                    faults[name] = faults.get(name, 0) + 1
        return LookaheadReport(
            first=self.recorded[0][0].session,
            last=self.recorded[0][-1].session,
            sessions=len(self.rows),
            cuts=tuple(self.full.panel.sessions[chosen].tolist()),
            complete_runs=complete_runs,
            factors=self.full.factors.names,
            sleeves=self.sleeves,
            fills_checked=self._fills_checked,
            sleeve_faults=faults,
            findings=tuple(findings),
        )

    def _run(self, data: SessionInput, config: DecisionConfig, rows: range) -> list[SessionOutcome]:
        return list(without_rule_faults(trade_sessions(replace(data, config=config), rows)))

    def _before(self, run: int, row: int) -> SessionOutcome | None:
        step = row - self.rows.start
        return self.recorded[run][step - 1] if step else None

    def _replayed(self, data: SessionInput, run: int, row: int) -> Iterator[Difference]:
        """Decide the session again from the book as it stood in that run."""
        before = self._before(run, row)
        outcome = trade_session(replace(data, config=self._configs[run]), row, before.end_of_day if before else None)
        recorded = self.recorded[run][row - self.rows.start]
        return outcome_differences(recorded, outcome, data.universe.symbols)

    def _fill_problems(self, scrambled: SessionInput, row: int, kept_openings: bool) -> Iterator[Difference]:
        """Compare the session's fills with those at other prices after the decision."""
        step = row - self.rows.start
        recorded = self.recorded[0][step]
        # A fill at another price than the opening's would be cancelled by the garbage's range, and not be seen.
        unknown = np.full_like(scrambled.panel.fill_open, np.nan)
        panel = replace(scrambled.panel, fill_low=unknown, fill_high=unknown)
        other = trade_session(replace(scrambled, panel=panel), row + 1, recorded.end_of_day)
        prices = {fill.client_order_id: fill.price for fill in other.fills}
        decided = self.full.calendar.decision_time(recorded.session)
        for fill in self.recorded[0][step + 1].fills:
            price = prices.get(fill.client_order_id)
            if price is None and kept_openings:
                continue  # validation set the garbage aside, so this opening shows nothing
            self._fills_checked += 1
            text = f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price}"
            if fill.filled_at <= decided or (not kept_openings and price == fill.price):
                rival = f"{price} whatever the next opening is, at {fill.filled_at:%Y-%m-%d %H:%M} UTC"
                yield Difference(Layer.FILL, SAME_BAR_FILL, recorded.session, fill.symbol, text, rival)
            elif kept_openings and price != fill.price:
                rival = f"{price} with the same opening and another close"
                yield Difference(Layer.FILL, FILL_PAST_OPENING, recorded.session, fill.symbol, text, rival)

    def _complete_run(self, truncated: SessionInput, row: int) -> list[Difference]:
        """Run everything up to the cut again and return the differences of the first session that has any."""
        again = trade_sessions(truncated, range(self.rows.start, row + 1))
        for recorded, outcome in zip(self.recorded[0], again, strict=False):
            differences = list(outcome_differences(recorded, outcome, truncated.universe.symbols))
            if differences:
                return differences
        return []

    def _loop_problems(self, data: SessionInput, row: int) -> Iterator[Difference]:
        """Run the compiled loop up to ``row``: the differences of the first session with any."""
        if not can_loop(data):
            return
        days = self.full.panel.sessions[[self.rows.start, row]].tolist()
        result = run_backtest(data, *days)
        for step, outcome in enumerate(self.recorded[0][: len(result.nav)]):
            recorded = float(outcome.end_of_day.portfolio.nav)
            if result.nav[step] != recorded:
                texts = (f"{recorded:.2f}", f"{result.nav[step]:.2f}")
                yield Difference(Layer.ACCOUNT, COMPILED_LOOP, outcome.session, "", *texts)
                return

    def _note(
        self, differences: Iterable[Difference], check: Check, cut: date, keep: Collection[Layer] = tuple(Layer)
    ) -> None:
        differing = list(differences)
        for difference in differing:
            if difference.layer not in keep:
                continue
            key = (difference.layer, difference.name)
            origin = not any(_rests_on(difference.layer, other) for other in differing)
            self._cuts_found.setdefault(key, set()).add(cut)
            earlier = self.findings.get(key)
            if earlier is None or (origin, earlier.difference.session) > (earlier.origin, difference.session):
                self.findings[key] = Finding(difference, check, cut, 1, origin)


def _rests_on(layer: Layer, other: Difference) -> bool:
    if other.layer is Layer.DATA and other.name in NOT_IN_VIEW:
        return layer in (Layer.FILL, Layer.ACCOUNT)
    return other.layer in RESTS_ON[layer]

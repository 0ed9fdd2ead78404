"""Audits of the decision core on a user's own data: load raw history, audit, report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from trading_lib.adapters.user_code.process import Alone
from trading_lib.adapters.user_code.watch import acts_of
from trading_lib.backtest.audits.lookahead import DEFAULT_CUTS, Build, audit_lookahead, every_sleeve
from trading_lib.backtest.audits.lookahead_report import Finding, LookaheadReport
from trading_lib.backtest.audits.truncation import BARS, FUNDING, MACRO, OPENED, RawHistory
from trading_lib.backtest.audits.warm_up import WarmUpReport, audit_warm_up
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.domain.market.sessions import FIRST_SESSION
from trading_lib.market_data.source import FundingSource, ProceedsSource
from trading_lib.session.inputs import SessionInput
from trading_lib.session.window import window_rows
from trading_lib.validation.acceptance import accept_bars
from trading_lib.workflows.data.ingest import newest_session
from trading_lib.workflows.data.market import build_market, session_input
from trading_lib.workflows.data.price_checks import cross_checks, rulings_of
from trading_lib.workflows.learning.feature_audit import REPORTS, feature_report
from trading_lib.workflows.learning.inputs import reports_of
from trading_lib.workflows.research.strategy_reports import own_code
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import choose_source, research_source
from trading_lib.workflows.trade.stage_log import logged

Progress = Callable[[str], None]
Report = dict[str, Any]

# Kinds of frames that hold second opinions on the bars.
OPINION = "cross-check "
# A year before the window gives every factor its history.
YEAR = 252


@dataclass(frozen=True, slots=True)
class AuditInput:
    """Raw observations of a source, the way from them to a run, and the window to audit.

    Attributes
    ----------
    everything
        The decision with every sleeve; carry may use every venue the source knows rates of.
    """

    history: RawHistory
    build: Build
    everything: DecisionConfig
    source: str
    first: date
    last: date


@logged("lookahead audit")
def lookahead(
    settings: Settings,
    data: Path | None = None,
    first: date | None = None,
    last: date | None = None,
    cuts: int = DEFAULT_CUTS,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> Report:
    """Audit for lookahead; see `audit_lookahead`. Without a folder the simulated market is audited.

    Raises
    ------
    InputError
        When the window does not fit the data, or there is nothing to cut.
    """
    if cuts < 1:
        raise InputError(f"{cuts} cuts compare nothing", "ask for 1 or more")
    loaded = load_history(settings, data, first, last)
    with Alone() as alone:
        audit = audit_lookahead(
            loaded.history,
            loaded.build,
            loaded.first,
            loaded.last,
            cuts=cuts,
            seed=seed,
            everything=loaded.everything,
            progress=progress,
            alone=alone.deciding,
        )
    sleeves = loaded.everything.strategy.sleeves
    own_strategies = {sleeve.strategy: sleeve.name for sleeve in sleeves if ":" in sleeve.strategy}
    report = _named(settings, loaded) | _lookahead_report(audit, seed)
    report["acts"] = [asdict(act) for act in acts_of(own_code(loaded.everything))]
    features = feature_report(loaded.history, loaded.build, settings.calendar, loaded.first, loaded.last, cuts, seed)
    report["features"] = features
    report["clean"] = not (audit.findings or report["acts"] or audit.sleeve_faults or features["findings"])
    return report | {
        "own_sleeves": sorted(own_strategies.values()),
        "not_covered": _not_covered(own_strategies, alone.unsealed),
    }


def _not_covered(own_strategies: Mapping[str, str], unsealed: Collection[str]) -> list[str]:
    """Say what the verdict on users' strategies leaves out."""
    if not own_strategies:
        return []
    limits = [
        "values written into a strategy's own text or into a module it imports",
        "sessions between the cuts, for whatever is neither an act nor a peek into the view",
    ]
    if unsealed:
        named = ", ".join(sorted(own_strategies[reference] for reference in unsealed))
        limits.append(
            f"what compiled libraries read in {named}: they open files of their own, so none could be refused"
        )
    return limits


@logged("warm-up audit")
def warm_up(
    settings: Settings,
    data: Path | None = None,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda line: None,
) -> Report:
    """Measure how much history everything needs; see `audit_warm_up`."""
    loaded = load_history(settings, data, first, last)
    audit = audit_warm_up(
        loaded.history, loaded.build, loaded.first, loaded.last, everything=loaded.everything, progress=progress
    )
    return _named(settings, loaded) | _warm_up_report(audit)


def load_history(settings: Settings, data: Path | None, first: date | None, last: date | None) -> AuditInput:
    """Read what a source delivers, unvalidated; the window defaults to all but the first year."""
    source, chosen = research_source(data, settings), choose_source(None, data, settings)
    end = last or newest_session(chosen.kind, chosen.folder, settings)
    if first and first > end:
        raise InputError(f"the window {first} to {end} is inverted", "swap the two dates")
    now, symbols = settings.clock(), [*settings.configuration.universe.symbols, VOLATILITY_INDEX]
    bars = source.bars(symbols, FIRST_SESSION, end, now).bars
    frames = {BARS: bars.frame, MACRO: source.macro(FIRST_SESSION, end, now).frame}
    for number, opinion in enumerate(cross_checks(source, symbols, FIRST_SESSION, end, now)):
        frames[f"{OPINION}{number}"] = opinion.frame
    reports = reports_of(source, end, now).frame
    if len(reports):
        frames[REPORTS] = reports
    decision = settings.configuration.decision
    universe, everything = settings.configuration.universe, every_sleeve(decision)
    contract = universe.perpetuals
    if contract is not None and isinstance(source, FundingSource):
        rates = source.funding([contract.name], FIRST_SESSION, end, now).rates.frame
        venues = contract.venues or tuple(sorted(rates["venue"].unique().tolist()))
        # A sleeve that no venue allows decides nothing, and nothing can be found in it.
        carry = decision.strategy.carry.model_copy(update={"allowed_venues": venues})
        strategy = everything.strategy.model_copy(update={"carry": carry})
        everything = everything.model_copy(update={"strategy": strategy})
        universe = replace(universe, perpetuals=carry.contract)
        frames[FUNDING] = rates
    always_open = tuple(i.symbol for i in universe if i.calendar is TradingCalendar.ALWAYS)
    rulings, proceeds = rulings_of(source), source.proceeds if isinstance(source, ProceedsSource) else ()
    history, build = RawHistory(frames, always_open), market_builder(settings, universe, rulings, proceeds)
    full = build(history, end)
    sessions = full.panel.sessions
    begin: date = first or sessions[min(YEAR, len(sessions) // 2)].item()
    if len(window_rows(full.panel, settings.calendar, begin, end)) < 2:
        raise InputError(f"from {begin} to {end} there is one session only", "choose a longer window")
    return AuditInput(history, build, everything, full.panel.source, begin, end)


def market_builder(
    settings: Settings, universe: Universe, rulings: Sequence[PriceRuling] = (), proceeds: tuple[Proceeds, ...] = ()
) -> Build:
    """Return the way from raw observations to a run: verdicts on the bars, panel, adjustment, factors, funding."""
    active = replace(settings, configuration=replace(settings.configuration, universe=universe))
    now = settings.clock()

    def build(history: RawHistory, last: date) -> SessionInput:
        frames = history.frames
        opinions = [Bars(frame) for kind, frame in frames.items() if kind.startswith(OPINION) and len(frame)]
        bars = accept_bars(Bars(frames[BARS]), universe, now, opinions, rulings=rulings).accepted
        opened = frames.get(OPENED)
        if opened is not None and len(opened):
            bars = Bars.from_frame(pd.concat([bars.frame, opened]))
        macro = MacroSeries(frames[MACRO])
        rates = FundingRates(frames[FUNDING]) if FUNDING in frames else None
        market = build_market(bars, macro, universe, settings.calendar, last, rates)
        return session_input(active, replace(market, proceeds=proceeds))

    return build


def _named(settings: Settings, loaded: AuditInput) -> Report:
    return {
        "data_source": loaded.source,
        "config_hash": settings.configuration.config_hash,
        "code_version": code_version(),
    }


def _lookahead_report(audit: LookaheadReport, seed: int) -> Report:
    return {
        "from": audit.first.isoformat(),
        "to": audit.last.isoformat(),
        "sessions": audit.sessions,
        "seed": seed,
        "cuts": [day.isoformat() for day in audit.cuts],
        "complete_runs": audit.complete_runs,
        "factors": list(audit.factors),
        "sleeves": list(audit.sleeves),
        "sleeve_faults": dict(audit.sleeve_faults),
        "fills_checked": audit.fills_checked,
        "clean": not audit.findings,
        "findings": [_finding(finding) for finding in audit.findings],
    }


def _finding(finding: Finding) -> Report:
    difference = finding.difference
    return {
        "culprit": finding.origin,
        "layer": difference.layer.value,
        "name": difference.name,
        "session": difference.session.isoformat(),
        "symbol": difference.symbol,
        "full": difference.full,
        "known": difference.known,
        "found_by": finding.check.value,
        "cut": finding.cut.isoformat(),
        "cuts": finding.times,
    }


def _warm_up_report(audit: WarmUpReport) -> Report:
    return {
        "from": audit.first.isoformat(),
        "to": audit.last.isoformat(),
        "beginnings": [day.isoformat() for day in audit.beginnings],
        "horizon": audit.horizon,
        "rows": [asdict(row) for row in audit.rows],
        "recommended_sessions": audit.recommended,
    }

"""The audit of features on a user's own data, as a part of the lookahead audit's report."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from trading_lib.backtest.audits.features import FeatureBuild, FeatureLeak, audit_features, choose_sessions
from trading_lib.backtest.audits.lookahead import Build
from trading_lib.backtest.audits.truncation import MACRO, RawHistory
from trading_lib.domain.market.positioning import CotReports
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.features.build import build_features
from trading_lib.workflows.learning.inputs import market_context

REPORTS = "positioning"
# Every cut assembles the whole history before it anew, and one compares every row up to it.
MOST_CUTS = 8


def feature_report(
    history: RawHistory, build: Build, calendar: SessionCalendar, first: date, last: date, cuts: int, seed: int
) -> dict[str, Any]:
    """Audit the features of the sessions from ``first`` to ``last``; see `audit_features`.

    Returns
    -------
    dict
        ``compared`` (names of the features), ``cuts`` and ``findings``, one for each feature that is a leak.
    """
    sessions = calendar.between(first, last)
    chosen = choose_sessions(sessions, min(cuts, MOST_CUTS), seed)
    audit = audit_features(history, feature_build(build, calendar), chosen, last, calendar)
    return {
        "compared": list(audit.features),
        "cuts": [day.isoformat() for day in audit.cuts],
        "findings": [_finding(leak) for leak in audit.leaks],
    }


def feature_build(build: Build, calendar: SessionCalendar) -> FeatureBuild:
    """Return the way from raw observations to features."""

    def features(history: RawHistory, last: date) -> FeaturePanel:
        data = build(history, last)
        reports = (CotReports(history.frames[REPORTS]),) if REPORTS in history.frames else ()
        context = market_context(data.panel, (MacroSeries(history.frames[MACRO]),), reports, calendar)
        return build_features(data.panel, data.factors, context)

    return features


def _finding(leak: FeatureLeak) -> dict[str, Any]:
    days = {name: getattr(leak, name).isoformat() for name in ("session", "cut")}
    # As text, like the other findings: a value may be none.
    return asdict(leak) | days | {"full": f"{leak.full:.10g}", "known": f"{leak.known:.10g}"}

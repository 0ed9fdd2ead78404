"""Findings about a data set as a whole: series that the rules read and the data lacks."""

from __future__ import annotations

from datetime import date

from trading_lib.domain.market.missing_data import MissingData
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.validation.report import Finding, Severity

CASH_RATE = "cash rate"
MISSING_RULES = ("missing_symbol", "missing_volatility_index", "missing_cash_rate")


def missing_findings(missing: MissingData, today: date) -> tuple[Finding, ...]:
    """One ERROR for each thing that is absent: figures of such data are of another strategy than the one configured.

    Rules: ``missing_symbol``, ``missing_volatility_index``, ``missing_cash_rate``.
    """
    findings = [
        Finding(symbol, today, "missing_symbol", Severity.ERROR, None, f"no prices for {symbol}")
        for symbol in missing.symbols
    ]
    if missing.volatility_index:
        message = f"no {VOLATILITY_INDEX}: all sessions count as HIGH_VOL"
        findings.append(Finding(VOLATILITY_INDEX, today, MISSING_RULES[1], Severity.ERROR, None, message))
    if missing.cash_rate:
        message = "no cash rate in the data: Sharpe is over 0"
        findings.append(Finding(CASH_RATE, today, MISSING_RULES[2], Severity.ERROR, None, message))
    return tuple(findings)

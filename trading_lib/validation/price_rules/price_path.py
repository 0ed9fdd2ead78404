"""Errors that show in the path of prices alone: wrong units and spikes that revert. Output: findings.

``confirmed`` marks rows whose move another source or the whole market made too; those are events, not errors.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import BoolArray
from trading_lib.validation.price_history import PriceHistory, robust_scale
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules


def unit_findings(history: PriceHistory, rules: QualityRules, confirmed: BoolArray) -> list[Finding]:
    """Jumps by a factor between quoting units, such as pence and pounds.

    An ERROR for every bar of the block in the other unit, as far as it ends again; where it does not, for the bar
    that jumps. Quotes at which nothing was traded (volume 0 on both sides) are a WARNING: nobody could have dealt.
    """
    if history.intraday:
        return []
    findings: list[Finding] = []
    open_since: tuple[int, float] | None = None
    returns = np.nan_to_num(history.total_return)
    noise = max(rules.unit_tolerance, rules.judgeable_scales * history.scale)
    for row in np.flatnonzero(np.abs(returns) > np.log(min(rules.unit_ratios)) / 2):
        ratio = _unit_ratio(abs(float(returns[row])), rules, noise)
        if ratio is None or confirmed[row]:
            continue
        direction = float(np.sign(returns[row])) * ratio
        if open_since is not None and direction == -open_since[1]:
            findings += [_unit(history, at, ratio) for at in range(open_since[0] + 1, int(row))]
            open_since = None
        else:
            findings.append(_unit(history, int(row), ratio))
            open_since = (int(row), direction)
    return findings


def tick_findings(history: PriceHistory, rules: QualityRules, confirmed: BoolArray) -> list[Finding]:
    """Single bars that leap away and come back: out and in again by far more than the days around allow. ERROR."""
    if history.intraday or len(history) < rules.minimum_bars:
        return []
    returns = np.nan_to_num(history.total_return)
    out, back = returns[:-1], returns[1:]
    spike = (np.sign(out) == -np.sign(back)) & (np.minimum(np.abs(out), np.abs(back)) > rules.tick_move)
    findings = []
    for row in np.flatnonzero(spike):
        least = min(abs(float(out[row])), abs(float(back[row])))
        if confirmed[row] or least <= rules.tick_scales * _scale_around(history, int(row), rules.tick_window):
            continue
        there, again = float(np.expm1(out[row])), float(np.expm1(back[row]))
        message = f"the price moved {there:+.1%} and then {again:+.1%}, which no other day around it comes near"
        findings.append(_finding(history, int(row), "bad_tick", Severity.ERROR, there, message))
    return findings


def _scale_around(history: PriceHistory, row: int, window: int) -> float:
    """Scale of the days around a spike, but no less than the symbol's usual one: volatility clusters."""
    returns = history.total_return
    near = np.r_[returns[max(1, row - window) : row], returns[row + 2 : row + 2 + window]]
    return max(robust_scale(near), history.scale)


def _unit_ratio(move: float, rules: QualityRules, noise: float) -> float | None:
    distances = {ratio: abs(move - np.log(ratio)) for ratio in rules.unit_ratios}
    nearest = min(distances, key=lambda ratio: distances[ratio])
    # Half the log distance is the farthest a move can be from a unit and still be nearer to it than to none.
    return nearest if distances[nearest] <= min(noise, np.log(nearest) / 4) else None


def _unit(history: PriceHistory, row: int, ratio: float) -> Finding:
    traded = not (history.untraded[row] and history.untraded[row - 1])
    severity = Severity.ERROR if traded else Severity.WARNING
    move = float(history.close[row] / history.close[row - 1])
    message = f"the price {history.close[row]:g} is off by the factor {ratio:g} from the bars around it"
    return _finding(history, row, "price_scale", severity, move, message)


def _finding(history: PriceHistory, row: int, rule: str, severity: Severity, value: float, message: str) -> Finding:
    session = history.days[row].item()
    return Finding(history.symbol, session, rule, severity, value, f"{history.symbol} {session}: {message}")

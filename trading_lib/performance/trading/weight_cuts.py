"""What limits took from the weights that the strategy wanted: how often each bound, by how much, and from which asset.

Input: `WeightCuts` of a run. Output: plain values for report, terminal, tear sheet and MLflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.prices import DateArray, FloatArray

# Name of a limit -> what it is, for people.
LIMIT_WORDS: Mapping[str, str] = {
    "max_weight": "cap of one asset",
    "pair_correlation": "cap of closely correlated pairs",
    "cash_buffer": "cash buffer of the target weights",
    "max_leverage": "largest sum of weights",
    "no_new_bar": "no new bar, so not increased",
    "liquidation": "risk level 4: everything is sold",
    "sell_only": "risk level 2: nothing is bought",
    "negative_cash": "cash below zero: nothing is bought",
    "safe_haven_only": "risk level 3: only safe havens are bought",
    "manual_review": "risk level 3: nobody has approved buying",
    "crypto_blocked": "risk level 1 or more: no crypto is bought",
    "minimum_confidence": "risk level 1 or more: confidence too low to buy",
    "stop_cool_off": "cooling off after a stop",
    "retired": "retired",
    "recovery_ladder": "re-entry after a liquidation",
    "recovery_leverage": "largest sum of weights during re-entry",
    "own_rules": "risk rules of your own",
    "risk_orders": "stops, reductions by risk level and other ceilings",
    "rebalance_threshold": "change of weight too small to trade",
    "no_price": "no price known",
    "max_daily_trades": "trades a day",
    "max_daily_turnover": "turnover a day",
    "order_cash_buffer": "cash left to spend",
    "min_trade_value": "trade too small in dollars",
    "lot_size": "less than one lot",
}
# Limits of the session's orders: what they leave undone is tried again, so it lowers no target.
OF_ORDERS = frozenset(
    {
        "rebalance_threshold",
        "no_price",
        "max_daily_trades",
        "max_daily_turnover",
        "order_cash_buffer",
        "min_trade_value",
        "lot_size",
    }
)
# On average over the run, as a share of net asset value: less than this was cut from no strategy worth mentioning.
LOUD = 0.01
# So many limits, and assets of a limit, are named in a terminal.
SHOWN, NAMED = 6, 3


@dataclass(frozen=True, slots=True)
class WeightCuts:
    """S sessions, n assets, one entry per cut; weights are shares of net asset value.

    Attributes
    ----------
    limits
        Names that ``limit`` counts through.
    wanted, approved, held
        Shape (S, n): blended sleeves, what constraints and risk control left of them, and what was held at the
        decision.
    row, limit, asset
        Of each cut, in order of the sessions.
    amount
        What the limit took; where several would have, it is the first one's. Of a limit of orders, the part of the
        change that was not traded.
    """

    symbols: tuple[str, ...]
    limits: tuple[str, ...]
    wanted: FloatArray
    approved: FloatArray
    held: FloatArray
    row: NDArray[np.int64]
    limit: NDArray[np.int64]
    asset: NDArray[np.int64]
    amount: FloatArray


def report_cuts(cuts: WeightCuts, sessions: DateArray) -> dict[str, Any]:
    """Lay out by name what was wanted, allowed and held, and what each limit took; weights to six places."""
    lowered = np.array([name not in OF_ORDERS for name in cuts.limits])[cuts.limit]
    weights = (("wanted", cuts.wanted), ("allowed", cuts.approved), ("held", cuts.held))
    averages = [(name, array.mean(axis=0)) for name, array in weights]
    named = [_limit(cuts, number, sessions) for number in np.unique(cuts.limit).tolist()]
    return {
        "sessions": len(sessions),
        "sessions_cut": len(np.unique(cuts.row[lowered])),
        **{name: _rounded(average.sum()) for name, average in averages},
        "limits": sorted(named, key=lambda one: (one["of_orders"], -one["sessions"] * one["average_cut"])),
        "by_symbol": {
            symbol: {name: _rounded(average[i]) for name, average in averages}
            for i, symbol in enumerate(cuts.symbols)
            if any(average[i] for _, average in averages)
        },
    }


def _limit(cuts: WeightCuts, number: int, sessions: DateArray) -> dict[str, Any]:
    """One limit, and the assets it took most from first."""
    mine = cuts.limit == number
    rows, assets, amounts = cuts.row[mine], cuts.asset[mine], cuts.amount[mine]
    bound, where = np.unique(rows, return_inverse=True)
    by_session = np.bincount(where, weights=amounts)
    of_asset, times = np.bincount(assets, weights=amounts), np.bincount(assets)
    largest = np.zeros(len(of_asset))
    np.maximum.at(largest, assets, amounts)
    worst, name = int(by_session.argmax()), cuts.limits[number]
    return {
        "limit": name,
        "words": LIMIT_WORDS.get(name, name.replace("_", " ")),
        "of_orders": name in OF_ORDERS,
        "sessions": len(bound),
        "average_cut": _rounded(by_session.mean()),
        "largest_cut": _rounded(by_session[worst]),
        "largest_on": str(sessions[bound[worst]]),
        "symbols": {
            cuts.symbols[i]: {
                "sessions": int(times[i]),
                "average_cut": _rounded(of_asset[i] / times[i]),
                "largest_cut": _rounded(largest[i]),
            }
            for i in np.argsort(-of_asset, kind="stable").tolist()
            if times[i]
        },
    }


def is_loud(report: Mapping[str, Any]) -> bool:
    """Whether limits took so much from the targets that the run is of another strategy than the one that was asked."""
    pairs = [report, *report["by_symbol"].values()]
    return any(one["wanted"] - one["allowed"] >= LOUD for one in pairs)


def headline(report: Mapping[str, Any]) -> str:
    """Say in one line what was wanted and what came of it."""
    wanted, allowed, held = (f"{report[name]:.1%}" for name in ("wanted", "allowed", "held"))
    first = next((one for one in report["limits"] if not one["of_orders"]), None)
    text = f"wanted {wanted} of net asset value on average, allowed {allowed}, held {held}"
    if not is_loud(report) or first is None:
        cut = report["sessions_cut"]
        return f"{text}; targets were cut in {cut:,} of {report['sessions']:,} sessions"
    return (
        f"{text}: {first['limit']} ({first['words']}) bound in {first['sessions']:,} of {report['sessions']:,} sessions"
    )


def cut_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Put `report_cuts` into lines for a terminal: one where nothing much was cut, else every limit that bound."""
    loud = is_loud(report)
    yield f"{'CUT BY LIMITS: ' if loud else ''}{headline(report)}"
    if not loud:
        return
    found = [one for one in report["limits"] if not one["of_orders"]]
    for one in found[:SHOWN]:
        most = [f"{symbol} {cut['average_cut']:.1%}" for symbol, cut in list(one["symbols"].items())[:NAMED]]
        yield (
            f"  {one['limit']:<20} {one['sessions']:>6,} of {report['sessions']:,} sessions, {one['average_cut']:.1%} "
            f"of net asset value on average, {one['largest_cut']:.1%} at most; from {', '.join(most)}"
        )
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN} more, listed in the report (--out)"


def _rounded(value: float) -> float:
    # Adding 0 turns a rounded -0.0 into 0.
    return round(float(value), 6) + 0.0

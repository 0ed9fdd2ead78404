"""Planted faults of a session's orders and settlement: each must be found on the road of objects and in the loop."""

from __future__ import annotations

from tests.campaigns.mutants.money_path import Mutant

TESTS = "tests/trading_lib/session/test_both_roads.py"
SIZING, TRADES, OPENING = (
    "trading_lib/orders/sizing.py",
    "trading_lib/accounting/trades.py",
    "trading_lib/execution/simulated.py",
)


def _on_both_roads(name: str, file: str, old: str, new: str, test: str) -> tuple[Mutant, ...]:
    return tuple(
        Mutant(f"{name} ({road})", file, old, new, (TESTS, "-k", f"{test} and {road}")) for road in ("objects", "loop")
    )


MUTANTS = (
    *_on_both_roads(
        "the cash buffer can be spent",
        SIZING,
        "= cash[k] - share_in_cents(worth[k], rules.buffer)",
        "= cash[k]",
        "cash_buffer",
    ),
    *_on_both_roads(
        "turnover has no limit of the day",
        SIZING,
        "share_rounded_down(max(nav, 0), rules.turnover)",
        "max(nav, 0)",
        "turnover",
    ),
    *_on_both_roads(
        "the proceeds of risk orders are lost",
        SIZING,
        " += cash_moved(value, False, commissions[i], slippages[i])",
        " += 0",
        "risk_order_brings",
    ),
    *_on_both_roads(
        "an asset that a risk order sells is rebalanced as well",
        SIZING,
        "        reduced | retired,\n",
        "        retired,\n",
        "takes_the_place",
    ),
    *_on_both_roads(
        "a dividend is not paid",
        TRADES,
        "if holdings.quantity[i] > 0 and amounts[i] > 0:",
        "if holdings.quantity[i] > 0 and amounts[i] < 0:",
        "dividend_is_paid",
    ),
    *_on_both_roads(
        "a purchase is not cut to the cash there is",
        OPENING,
        "quantity = payable(ordered, price, lot, commission, cash) if buying else ordered",
        "quantity = ordered",
        "cut_to_the_whole_lots",
    ),
    *_on_both_roads(
        "a purchase takes no commission from cash",
        TRADES,
        "return cash - value - commission if buying else",
        "return cash - value if buying else",
        "cut_to_the_whole_lots",
    ),
    *_on_both_roads(
        "a close that nobody knows moves the mark",
        TRADES,
        "if holdings.quantity[i] > 0 and np.isfinite(closes[i]):",
        "if holdings.quantity[i] > 0:",
        "known_close",
    ),
    *_on_both_roads(
        "what is bought has no mark until a close is known",
        TRADES,
        "    if before == 0:\n",
        "    if before < 0:\n",
        "known_close",
    ),
    Mutant(
        "what an opening leaves of an order is not cancelled (objects)",
        "trading_lib/session/opening.py",
        "            if quantity < adjusted.quantity:\n",
        "            if quantity > adjusted.quantity:\n",
        (TESTS, "-k", "the_rest_is_cancelled and objects"),
    ),
    Mutant(
        "what an opening leaves of an order is not cancelled (loop)",
        "trading_lib/backtest/compiled/settlement.py",
        "fill[LEFT], fill[CASH_THERE] = ordered - quantity, cash",
        "fill[LEFT], fill[CASH_THERE] = 0, cash",
        (TESTS, "-k", "the_rest_is_cancelled and loop"),
    ),
)

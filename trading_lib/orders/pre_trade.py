"""The checks every order passes on every path before it is sent (docs/specification.md#pre-trade-checks).

Input: one order and its context. Output: None, or why it is denied. A denied order is stored with that reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trading_lib.domain.book.orders import Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade_checks import CHECKS, Check
from trading_lib.orders.pre_trade_pair import other_legs


@dataclass(frozen=True, slots=True)
class PreTradeContext:
    """The data an order is checked against.

    Attributes
    ----------
    assessment
        Of the session; None on a day without one, when nothing may be bought.
    kill_switch
        Whether trading is halted; only orders that reduce risk could pass, and only when asked for.
    orders
        All orders of the session, where a hedge's legs find each other.
    open_orders
        Orders that may still fill, of this session and earlier ones.
    buying_power
        Account, as `Universe.account_of` names it, -> dollars that its broker lets purchases cost; without those whose
        broker did not say.
    """

    universe: Universe
    portfolio: Portfolio
    assessment: RiskAssessment | None
    last_prices: dict[str, float]
    config: PreTradeConfig
    kill_switch: bool = False
    orders: tuple[Order, ...] = ()
    open_orders: tuple[Order, ...] = ()
    buying_power: Mapping[str, Decimal] = field(default_factory=dict)


def pre_trade_context(
    view: MarketView,
    portfolio: Portfolio,
    assessment: RiskAssessment,
    config: PreTradeConfig,
    kill_switch: bool = False,
    orders: tuple[Order, ...] = (),
) -> PreTradeContext:
    """Collect the data the orders of a session are checked against; backtest and daily run both call this."""
    prices = dict(zip(view.universe.symbols, view.close.tolist(), strict=True))
    contract = view.universe.perpetuals
    if contract is not None and contract.spot in prices:
        perpetuals = [*portfolio.perpetuals, *(order.symbol for order in orders if is_perpetual(order.symbol))]
        prices |= dict.fromkeys(perpetuals, prices[contract.spot])
    return PreTradeContext(view.universe, portfolio, assessment, prices, config, kill_switch, orders)


def deny_reason(order: Order, context: PreTradeContext, checks: Sequence[Check] = CHECKS) -> str | None:
    """Return why ``order`` must not be sent, or None when it may.

    Parameters
    ----------
    checks
        All of them, but in tests of what each is for.
    """
    if context.kill_switch:
        return "the kill switch is on"
    problem = _own_problem(order, context, checks)
    for leg in other_legs(order, context.universe, context.orders) if problem is None else ():
        theirs = _own_problem(leg, context, checks)
        if theirs is not None:
            return f"its other leg {leg.side} {leg.symbol} is denied: {theirs}"
    return problem


def refusal_kind(reason: str) -> str:
    """Kind of a reason that `deny_reason` gave, without the numbers and names of the single order."""
    return next((kind for fragment, kind in _KINDS if fragment in reason), "other")


def _own_problem(order: Order, context: PreTradeContext, checks: Sequence[Check]) -> str | None:
    for check in checks:
        problem = check(order, context)
        if problem is not None:
            return problem
    return None


# Fragment of a reason -> its kind. A leg denied because of the other has the other's kind.
_KINDS = (
    ("the kill switch is on", "kill switch"),
    ("is above the limit of", "order value above max_order_notional"),
    ("is above max_order_quantity", "quantity above max_order_quantity"),
    ("of the same symbol and side is open already", "the same order is open already"),
    ("of the opposite side of", "an order of the opposite side is open"),
    ("and the buying power of its account is", "not enough buying power"),
    ("away from the last good price", "price beyond the collar around the last good price"),
    ("no good price of", "no good price known"),
    ("is not positive", "quantity or price not positive"),
    ("is not a multiple of the lot size", "quantity not in whole lots"),
    ("is not in the universe", "not in the universe"),
    ("is not a configured perpetual", "not a configured perpetual"),
    ("would go short", "would sell more than is held"),
    ("would go long", "would buy back more than is sold short"),
    ("is not among the allowed venues", "venue not allowed"),
    ("short would be more than", "short larger than its spot leg"),
    ("may not be bought", "buying not allowed"),
    ("is not allowed at risk level", "buying not allowed"),
    ("is not allowed on a day without a session", "buying not allowed"),
)

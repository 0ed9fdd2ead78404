"""Approved weights and ceilings -> orders (docs/specification.md#orders).

Risk orders come first and only reduce; thresholds, trade count and turnover do not hold them back. Rebalancing sells
follow, then buys, each by size, until a daily limit or the cash buffer is reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.book.holdings import holdings_of
from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import UNLIMITED, RiskAssessment
from trading_lib.domain.decision.signals import SignalPanel, SignalType
from trading_lib.domain.decision.sleeves import SleeveRecord
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.instruments import Instrument, Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.money import from_cents, from_micros, price_micros, to_cents, to_micros
from trading_lib.domain.money_arithmetic import commission_on
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.rebalancing import CUT_LIMITS, DUST
from trading_lib.orders.sizing import order_rules, size_orders

# At this risk level only risk orders are sent.
LIQUIDATION = 4


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """The orders of a session in the order they are sent, and changes that were held back.

    Attributes
    ----------
    skipped
        Symbol -> the limit that held an intended change back or cut it.
    """

    orders: tuple[Order, ...]
    skipped: dict[str, str]


def generate_orders(
    view: MarketView,
    signals: SignalPanel,
    assessment: RiskAssessment,
    held_weights: FloatArray,
    portfolio: Portfolio,
    book: str,
    config: OrderConfig,
    sleeves: Mapping[str, SleeveRecord] = MappingProxyType({}),
) -> OrderBatch:
    """Turn approved weights into orders that respect every limit.

    Parameters
    ----------
    held_weights
        Shape (n,): the present weights.
    sleeves
        Who wanted the weights, for the orders' reasons.
    """
    universe, retired = view.universe, assessment.next_state.retired
    holdings = holdings_of(portfolio, universe.symbols)
    assets, quantities, cuts, risk = size_orders(
        assessment.weights,
        held_weights,
        view.close,
        assessment.may_increase,
        _among(universe, retired),
        holdings.quantity,
        holdings.mark,
        _ceilings(assessment),
        universe.lots,
        universe.commissions,
        universe.slippages,
        universe.account_numbers,
        to_cents(portfolio.nav),
        _cash_by_account(portfolio, universe),
        order_rules(config),
        assessment.effective_level == LIQUIDATION,
    )
    sized = list(zip(assets.tolist(), quantities.tolist(), cuts.tolist(), strict=True))
    orders = [_risk_order(universe.instruments[i], view, assessment, portfolio, book, q) for i, q, _ in sized[:risk]]
    if assessment.effective_level == LIQUIDATION:
        return OrderBatch(tuple(orders), {})
    skipped = _left_alone(view, assessment, held_weights, {order.symbol for order in orders}, config)
    reasons, change = _cut_words(config), assessment.weights - held_weights
    for i, quantity, cut in sized[risk:]:
        if cut:
            skipped[universe.symbols[i]] = reasons[cut]
        if quantity > 0:
            order = rebalancing_order(
                universe.instruments[i],
                Side.BUY if change[i] > 0 else Side.SELL,
                quantity,
                price_micros(float(view.close[i])),
                view.session,
                book,
                int(signals.codes[i]),
                float(signals.confidence[i]),
                float(held_weights[i]),
                float(assessment.weights[i]),
                [(name, record.budget * float(record.target.weights[i])) for name, record in sleeves.items()],
            )
            orders.append(order)
    return OrderBatch(tuple(orders), skipped)


def _cash_by_account(portfolio: Portfolio, universe: Universe) -> IntegerArray:
    """Cents of each account that `Universe.account_numbers` numbers."""
    if not universe.account_names:
        return np.array([to_cents(portfolio.cash)], np.int64)
    balances = portfolio.cash_by_account()
    return np.array([to_cents(balances.get(name, Decimal(0))) for name in universe.account_names], np.int64)


def _among(universe: Universe, symbols: Collection[str]) -> BoolArray:
    return np.array([symbol in symbols for symbol in universe.symbols]) if symbols else universe.nothing


def _ceilings(assessment: RiskAssessment) -> IntegerArray:
    """Ceilings in millionths of a unit."""
    limited = np.isfinite(assessment.ceilings)
    ceilings = np.full(len(limited), UNLIMITED, np.int64)
    ceilings[limited] = [to_micros(Decimal(repr(units))) for units in assessment.ceilings[limited].tolist()]
    return ceilings


def _cut_words(config: OrderConfig) -> tuple[str, ...]:
    """Reasons for what cut a trade, in the order of its codes."""
    return (
        "",
        f"daily limit of {config.max_daily_trades} trades",
        "daily turnover limit",
        "cash buffer",
        f"trade value below ${config.min_trade_value}",
        "the change is smaller than one lot",
    )


def limit_of(reason: str, config: OrderConfig) -> str:
    """Name the daily limit, see `CUT_LIMITS`, behind a ``reason`` of `OrderBatch.skipped`; "" for any other."""
    return dict(zip(_cut_words(config), CUT_LIMITS, strict=True)).get(reason, "")


def _left_alone(
    view: MarketView, assessment: RiskAssessment, held_weights: FloatArray, reduced: set[str], config: OrderConfig
) -> dict[str, str]:
    """Name the changes of weight without an order, and why."""
    change = assessment.weights - held_weights
    causes = _causes(change, view.close, assessment.may_increase, config.rebalance_threshold).tolist()
    below = f"change of weight below the rebalance threshold of {config.rebalance_threshold:.1%}"
    reasons = ("", below, "no price is known", "buying is not allowed")
    skipped = {symbol: reasons[cause] for symbol, cause in zip(view.universe.symbols, causes, strict=True) if cause}
    for symbol in reduced:
        if abs(change[view.universe.positions[symbol]]) > DUST:
            skipped[symbol] = "a risk order of this session comes first"
    for symbol in assessment.next_state.retired:
        i = view.universe.positions[symbol]
        if abs(change[i]) > DUST or np.isfinite(assessment.ceilings[i]):
            skipped[symbol] = f"retired: no price since {view.price_day[i]}"
    return skipped


@compiled
def _causes(change: FloatArray, close: FloatArray, may_increase: BoolArray, threshold: float) -> NDArray[np.int8]:
    """Why no order follows a change of weight: too small (1), no price (2), not allowed (3); 0 where one may."""
    causes = np.zeros(change.shape[0], np.int8)
    for i in range(change.shape[0]):
        if not abs(change[i]) > DUST:
            continue
        if not abs(change[i]) >= threshold:
            causes[i] = 1
        elif not np.isfinite(close[i]):
            causes[i] = 2
        elif change[i] > 0.0 and not may_increase[i]:
            causes[i] = 3
    return causes


def _risk_order(
    instrument: Instrument, view: MarketView, assessment: RiskAssessment, portfolio: Portfolio, book: str, excess: int
) -> Order:
    """Sell what is held above a ceiling, at the last good price."""
    return reducing_order(
        instrument, portfolio, excess, view.session, book, assessment.ceiling_reasons[instrument.symbol]
    )


def reducing_order(
    instrument: Instrument, portfolio: Portfolio, excess: int, session: date, book: str, reason: str
) -> Order:
    """Sell ``excess`` millionths of a unit at the last good price."""
    price = portfolio.marks[instrument.symbol]
    change = -sold_weight(excess, price, portfolio.nav) if portfolio.nav > 0 else 0.0
    return _order(instrument, Side.SELL, excess, to_micros(price), change, session, book, OrderPurpose.RISK, reason)


def sold_weight(excess: int, price: Decimal, nav: Decimal) -> float:
    """Weight of ``excess`` millionths of a unit at this price, in a book of a positive net asset value."""
    return float(from_micros(excess) * price / nav)


def rebalancing_order(
    instrument: Instrument,
    side: Side,
    quantity: int,
    price: int,
    session: date,
    book: str,
    code: int,
    confidence: float,
    held: float,
    approved: float,
    sleeves: Sequence[tuple[str, float]],
) -> Order:
    """Return the order of a trade of `rebalancing_trades`, with its reason.

    Parameters
    ----------
    code, confidence
        The asset's signal.
    held, approved
        Its weight before and after.
    sleeves
        What each sleeve wants of it, as a share of net asset value.
    """
    reason = (
        f"{SignalType(code).name} (confidence {confidence:.2f}): from {held:.1%} to {approved:.1%} of net asset value"
    )
    if len(sleeves) > 1:
        reason += f" (wanted: {', '.join(f'{name} {weight:.1%}' for name, weight in sleeves)})"
    return _order(instrument, side, quantity, price, approved - held, session, book, OrderPurpose.REBALANCE, reason)


def _order(
    instrument: Instrument,
    side: Side,
    quantity: int,
    price: int,
    weight_change: float,
    session: date,
    book: str,
    purpose: OrderPurpose,
    reason: str,
) -> Order:
    commission = commission_on(quantity, price, to_micros(instrument.commission_rate))
    return Order(
        client_order_id=client_order_id(book, session, instrument.symbol, side),
        book=book,
        session=session,
        symbol=instrument.symbol,
        side=side,
        quantity=from_micros(quantity),
        expected_price=from_micros(price),
        estimated_commission=from_cents(commission),
        weight_change=weight_change,
        purpose=purpose,
        reason=reason,
    )

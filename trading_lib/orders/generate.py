"""Approved weights and ceilings -> orders (SPEC section 7).

Risk orders come first and only reduce; thresholds, trade count and turnover do not hold them back. Rebalancing sells
follow, then buys, each by size, until a daily limit or the cash buffer is reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trading_lib.domain.instruments import Instrument
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.portfolio import Portfolio, to_cent
from trading_lib.domain.prices import FloatArray
from trading_lib.domain.risk import RiskAssessment
from trading_lib.domain.signals import SignalPanel, SignalType
from trading_lib.orders.config import OrderConfig


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """The orders of a session, in the order they are sent, and what was left undone.

    Attributes
    ----------
    skipped
        Symbol -> the limit that held an intended change back or cut it.
    """

    orders: tuple[Order, ...]
    skipped: dict[str, str]


class _Budget:
    """What the day's limits still allow."""

    def __init__(self, portfolio: Portfolio, config: OrderConfig) -> None:
        nav = portfolio.nav
        self.trades = config.max_daily_trades
        self.turnover = nav * Decimal(str(config.max_daily_turnover))
        self.cash = portfolio.cash - nav * Decimal(str(config.cash_buffer))


def generate_orders(
    view: MarketView,
    signals: SignalPanel,
    assessment: RiskAssessment,
    held_weights: FloatArray,
    portfolio: Portfolio,
    book: str,
    config: OrderConfig,
) -> OrderBatch:
    """Turn approved weights into orders that respect every limit.

    Parameters
    ----------
    held_weights
        Shape (n,): the present weights.
    """
    budget = _Budget(portfolio, config)
    orders = [*_risk_orders(view, assessment, portfolio, book)]
    for order in orders:
        budget.cash += order.expected_notional - order.estimated_commission
    if assessment.effective_level == 4:
        return OrderBatch(tuple(orders), {})
    reduced = {order.symbol for order in orders}
    change = assessment.weights - held_weights
    wanted = np.flatnonzero(np.abs(change) >= config.rebalance_threshold)
    skipped: dict[str, str] = {}
    for i in wanted[np.lexsort((-np.abs(change[wanted]), change[wanted] > 0))]:
        instrument = view.universe.instruments[i]
        if instrument.symbol in reduced or (change[i] > 0 and not assessment.may_increase[i]):
            continue
        reason = _reason(signals, assessment, held_weights, int(i))
        order, limit = _rebalance(
            view, instrument, int(i), float(change[i]), float(assessment.weights[i]), portfolio, book, budget, config, reason
        )
        if limit:
            skipped[instrument.symbol] = limit
        if order:
            orders.append(order)
    return OrderBatch(tuple(orders), skipped)


def _risk_orders(view: MarketView, assessment: RiskAssessment, portfolio: Portfolio, book: str) -> list[Order]:
    orders = []
    for symbol in view.universe.symbols:
        position = portfolio.positions.get(symbol)
        ceiling = assessment.ceilings[view.universe.positions[symbol]]
        if position is None or not np.isfinite(ceiling):
            continue
        quantity = position.quantity - Decimal(str(ceiling))
        instrument = view.universe[symbol]
        quantity = whole_lots(quantity, instrument.lot_size)
        if quantity > 0:
            price = portfolio.marks[symbol]
            change = -float(quantity * price / portfolio.nav) if portfolio.nav > 0 else 0.0
            reason = assessment.ceiling_reasons[symbol]
            orders.append(
                _order(view, instrument, book, Side.SELL, quantity, price, change, OrderPurpose.RISK, reason)
            )
    return orders


def _rebalance(
    view: MarketView,
    instrument: Instrument,
    i: int,
    change: float,
    target: float,
    portfolio: Portfolio,
    book: str,
    budget: _Budget,
    config: OrderConfig,
    reason: str,
) -> tuple[Order | None, str]:
    if not np.isfinite(view.close[i]):
        return None, "no price is known"
    price = Decimal(repr(float(view.close[i])))
    held = portfolio.positions.get(instrument.symbol)
    owned = held.quantity if held else Decimal(0)
    side = Side.BUY if change > 0 else Side.SELL
    desired = abs(Decimal(repr(change))) * portfolio.nav / price
    if side is Side.SELL:
        desired = owned if target <= 0.0 else min(desired, owned)
    desired = whole_lots(desired, instrument.lot_size)
    if budget.trades <= 0:
        return None, f"daily limit of {config.max_daily_trades} trades"
    quantity, limit = _within_budget(desired, side, price, instrument, budget)
    if quantity * price < config.min_trade_value:
        return None, limit or f"trade value below ${config.min_trade_value}"
    order = _order(view, instrument, book, side, quantity, price, change, OrderPurpose.REBALANCE, reason)
    budget.trades -= 1
    budget.turnover -= order.expected_notional
    signed = order.expected_notional if side is Side.SELL else -order.expected_notional
    budget.cash += signed - order.estimated_commission - _slippage(order, instrument)
    return order, limit


def _within_budget(
    desired: Decimal, side: Side, price: Decimal, instrument: Instrument, budget: _Budget
) -> tuple[Decimal, str]:
    quantity, limit = desired, ""
    most = whole_lots(max(budget.turnover, Decimal(0)) / price, instrument.lot_size)
    if most < quantity:
        quantity, limit = most, "daily turnover limit"
    if side is Side.BUY:
        unit_cost = price * (1 + instrument.commission_rate + instrument.slippage_rate)
        most = whole_lots(max(budget.cash, Decimal(0)) / unit_cost, instrument.lot_size)
        if most < quantity:
            quantity, limit = most, "cash buffer"
    return quantity, limit


def _order(
    view: MarketView,
    instrument: Instrument,
    book: str,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    change: float,
    purpose: OrderPurpose,
    reason: str,
) -> Order:
    return Order(
        client_order_id=client_order_id(book, view.session, instrument.symbol, side),
        book=book,
        session=view.session,
        symbol=instrument.symbol,
        side=side,
        quantity=quantity,
        expected_price=price,
        estimated_commission=to_cent(quantity * price * instrument.commission_rate),
        weight_change=change,
        purpose=purpose,
        reason=reason,
    )


def _reason(signals: SignalPanel, assessment: RiskAssessment, held_weights: FloatArray, i: int) -> str:
    signal = SignalType(int(signals.codes[i])).name
    return (
        f"{signal} (confidence {signals.confidence[i]:.2f}): "
        f"from {held_weights[i]:.1%} to {assessment.weights[i]:.1%} of net asset value"
    )


def _slippage(order: Order, instrument: Instrument) -> Decimal:
    return order.expected_notional * instrument.slippage_rate

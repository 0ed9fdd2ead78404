"""Approved weights and ceilings -> orders (SPEC section 7).

Risk orders come first and only reduce; thresholds, trade count and turnover do not hold them back. Rebalancing sells
follow, then buys, each by size, until a daily limit or the cash buffer is reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.exact import exact
from trading_lib.domain.instruments import Instrument
from trading_lib.domain.kernels import compiled
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.portfolio import Portfolio, to_cent
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.risk import RiskAssessment
from trading_lib.domain.signals import SignalPanel, SignalType
from trading_lib.domain.sleeves import SleeveRecord
from trading_lib.orders.config import OrderConfig

NOTHING = Decimal(0)
NO_LOT = "the change is smaller than one lot"
# Smaller differences between wanted and present weight are rounding, not an intention.
DUST = 1e-9


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


@dataclass(frozen=True, slots=True)
class _Intention:
    """A change of one position before any daily limit."""

    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    weight_change: float
    reason: str


class _Budget:
    """What the day's limits still allow."""

    def __init__(self, portfolio: Portfolio, config: OrderConfig) -> None:
        self._config = config
        self._trades = config.max_daily_trades
        self._turnover = portfolio.nav * Decimal(str(config.max_daily_turnover))
        self._cash = portfolio.cash - portfolio.nav * Decimal(str(config.cash_buffer))

    def allowed(self, wanted: _Intention) -> tuple[Decimal, str]:
        """Quantity the limits allow, and the limit that cut it ("" when none did)."""
        if self._trades <= 0:
            return NOTHING, f"daily limit of {self._config.max_daily_trades} trades"
        instrument, quantity, limit = wanted.instrument, wanted.quantity, ""
        most = whole_lots(max(self._turnover, NOTHING) / wanted.price, instrument.lot_size)
        if most < quantity:
            quantity, limit = most, "daily turnover limit"
        if wanted.side is Side.BUY:
            unit_cost = wanted.price * (1 + instrument.commission_rate + instrument.slippage_rate)
            most = whole_lots(max(self._cash, NOTHING) / unit_cost, instrument.lot_size)
            if most < quantity:
                quantity, limit = most, "cash buffer"
        if quantity * wanted.price < self._config.min_trade_value:
            reason = f"trade value below ${self._config.min_trade_value}" if wanted.quantity > 0 else NO_LOT
            return NOTHING, limit or reason
        return quantity, limit

    def spend(self, order: Order, instrument: Instrument) -> None:
        """Take a rebalancing order out of the day's limits."""
        self._trades -= 1
        self._turnover -= order.expected_notional
        self._move_cash(order, instrument)

    def release(self, order: Order, instrument: Instrument) -> None:
        """Count the proceeds of a risk order, which uses up no limit."""
        self._move_cash(order, instrument)

    def _move_cash(self, order: Order, instrument: Instrument) -> None:
        costs = order.estimated_commission + order.expected_notional * instrument.slippage_rate
        self._cash += (order.expected_notional if order.side is Side.SELL else -order.expected_notional) - costs


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
    budget = _Budget(portfolio, config)
    orders = []
    for wanted in _risk_sales(view, assessment, portfolio):
        order = _order(wanted, wanted.quantity, view, book, OrderPurpose.RISK)
        budget.release(order, wanted.instrument)
        orders.append(order)
    if assessment.effective_level == 4:
        return OrderBatch(tuple(orders), {})
    reduced = {order.symbol for order in orders}
    skipped = _left_alone(view, assessment, held_weights, reduced, config)
    for wanted in _rebalancing(view, signals, assessment, held_weights, portfolio, config, sleeves):
        symbol = wanted.instrument.symbol
        if symbol in reduced:
            continue
        quantity, limit = budget.allowed(wanted)
        if limit:
            skipped[symbol] = limit
        if quantity > 0:
            order = _order(wanted, quantity, view, book, OrderPurpose.REBALANCE)
            budget.spend(order, wanted.instrument)
            orders.append(order)
    return OrderBatch(tuple(orders), skipped)


def _left_alone(
    view: MarketView, assessment: RiskAssessment, held_weights: FloatArray, reduced: set[str], config: OrderConfig
) -> dict[str, str]:
    """Name the changes of weight that no order follows, and why."""
    change = assessment.weights - held_weights
    causes = _causes(change, view.close, assessment.may_increase, config.rebalance_threshold).tolist()
    below = f"change of weight below the rebalance threshold of {config.rebalance_threshold:.1%}"
    words = ("", below, "no price is known", "buying is not allowed")
    skipped = {symbol: words[cause] for symbol, cause in zip(view.universe.symbols, causes, strict=True) if cause}
    for symbol in reduced:
        if abs(change[view.universe.positions[symbol]]) > DUST:
            skipped[symbol] = "a risk order of this session comes first"
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


def _risk_sales(view: MarketView, assessment: RiskAssessment, portfolio: Portfolio) -> Iterator[_Intention]:
    """Whatever is held above a ceiling, at the last good price."""
    if not np.isfinite(assessment.ceilings).any():
        return
    for instrument, ceiling in zip(view.universe, assessment.ceilings, strict=True):
        position = portfolio.positions.get(instrument.symbol)
        if position is None or not np.isfinite(ceiling):
            continue
        excess = whole_lots(position.quantity - Decimal(repr(float(ceiling))), instrument.lot_size)
        if excess > 0:
            price = portfolio.marks[instrument.symbol]
            change = -float(excess * price / portfolio.nav) if portfolio.nav > 0 else 0.0
            reason = assessment.ceiling_reasons[instrument.symbol]
            yield _Intention(instrument, Side.SELL, excess, price, change, reason)


def _rebalancing(
    view: MarketView,
    signals: SignalPanel,
    assessment: RiskAssessment,
    held_weights: FloatArray,
    portfolio: Portfolio,
    config: OrderConfig,
    sleeves: Mapping[str, SleeveRecord],
) -> Iterator[_Intention]:
    """Yield changes of weight that reach the threshold: sells before buys, larger before smaller."""
    change = assessment.weights - held_weights
    held_shares, approved, confidence = held_weights.tolist(), assessment.weights.tolist(), signals.confidence.tolist()
    for i in _in_turn(change, view.close, assessment.may_increase, config.rebalance_threshold).tolist():
        instrument, size = view.universe.instruments[i], float(change[i])
        price = exact(float(view.close[i]))
        quantity = abs(Decimal(repr(size))) * portfolio.nav / price
        if size < 0:
            held = portfolio.positions[instrument.symbol].quantity
            # A target of nothing sells everything, down to the last lot.
            quantity = held if approved[i] <= 0.0 else min(quantity, held)
        yield _Intention(
            instrument=instrument,
            side=Side.BUY if size > 0 else Side.SELL,
            quantity=whole_lots(quantity, instrument.lot_size),
            price=price,
            weight_change=size,
            reason=(
                f"{SignalType(signals.codes[i]).name} (confidence {confidence[i]:.2f}): from "
                f"{held_shares[i]:.1%} to {approved[i]:.1%} of net asset value{_wanted_by(sleeves, i)}"
            ),
        )


@compiled
def _in_turn(change: FloatArray, close: FloatArray, may_increase: BoolArray, threshold: float) -> NDArray[np.int64]:
    """Assets whose change of weight is large enough and allowed: sells before buys, larger before smaller."""
    assets = np.empty(change.shape[0], np.int64)
    found = 0
    for i in range(change.shape[0]):
        size = change[i]
        if not abs(size) >= threshold or not np.isfinite(close[i]) or (size > 0.0 and not may_increase[i]):
            continue
        place = found
        while place > 0 and _before(size, change[assets[place - 1]]):
            assets[place] = assets[place - 1]
            place -= 1
        assets[place] = i
        found += 1
    return assets[:found]


@compiled
def _before(change: float, other: float) -> bool:
    if (change > 0.0) != (other > 0.0):
        return change < other
    return abs(change) > abs(other)


def _wanted_by(sleeves: Mapping[str, SleeveRecord], asset: int) -> str:
    """Say what each of several sleeves wants of an asset, as shares of net asset value."""
    if len(sleeves) < 2:
        return ""
    parts = (f"{name} {record.budget * record.target.weights[asset]:.1%}" for name, record in sleeves.items())
    return f" (wanted: {', '.join(parts)})"


def _order(wanted: _Intention, quantity: Decimal, view: MarketView, book: str, purpose: OrderPurpose) -> Order:
    instrument = wanted.instrument
    return Order(
        client_order_id=client_order_id(book, view.session, instrument.symbol, wanted.side),
        book=book,
        session=view.session,
        symbol=instrument.symbol,
        side=wanted.side,
        quantity=quantity,
        expected_price=wanted.price,
        estimated_commission=to_cent(quantity * wanted.price * instrument.commission_rate),
        weight_change=wanted.weight_change,
        purpose=purpose,
        reason=wanted.reason,
    )

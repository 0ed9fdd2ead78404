"""The short leg: orders for perpetuals that follow the spot orders of the same session.

Input: the spot orders, the sleeves' hedges, the approved weights, the portfolio. Output: the batch with the perpetual
orders behind it. A short is never larger than the spot holding. It moves towards what the sleeve wants only as far as
the executed spot quantity, less what the other sleeves want unhedged, goes along; where the spot leg is cut, so is it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.instruments import Instrument
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.perpetuals import PerpetualContract
from trading_lib.domain.money import exact_price, whole_lots
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.generate import OrderBatch
from trading_lib.orders.rebalancing import DUST

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Legs:
    """Both legs of a session, in units of the spot asset.

    Attributes
    ----------
    before, after
        Spot held now and once its order is filled.
    short
        Perpetual -> units sold short now.
    wanted
        Perpetual -> units the sleeves want short, as far as their spot weight was approved.
    unhedged
        Units that other sleeves want to hold unhedged.
    frozen
        Whether the asset may not be bought: then the net holding may not grow either.
    """

    before: Decimal
    after: Decimal
    short: Mapping[str, Decimal]
    wanted: Mapping[str, Decimal]
    unhedged: Decimal
    frozen: bool


def with_hedges(
    batch: OrderBatch,
    view: MarketView,
    targets: TargetWeights,
    assessment: RiskAssessment,
    portfolio: Portfolio,
    book: str,
    config: OrderConfig,
) -> OrderBatch:
    """Add the perpetual orders of the session; exempt from thresholds, trade count and turnover, as they only follow.

    Parameters
    ----------
    batch
        The session's orders for the assets of the universe.
    """
    contract = view.universe.perpetuals
    if contract is None or contract.spot not in view.universe.positions:
        return batch
    spot, column = view.universe[contract.spot], view.universe.positions[contract.spot]
    # Without a price the spot leg is not traded; its last mark still serves to close what risk control closes.
    spot_price = portfolio.marks.get(contract.spot, exact_price(float(view.close[column])))
    if not spot_price.is_finite() or spot_price <= 0 or portfolio.nav <= 0:
        return batch
    legs = _legs(batch, targets, assessment, portfolio, spot, column, spot_price, config.rebalance_threshold)
    total = _short_after(legs, spot.lot_size)
    short = _by_venue(legs, total, spot.lot_size)
    risk = any(order.purpose is OrderPurpose.RISK for order in batch.orders if order.symbol == contract.spot)
    orders = tuple(
        _order(
            symbol, short[symbol] - legs.short.get(symbol, NOTHING), view, portfolio, contract, book, spot_price, risk
        )
        for symbol in sorted(short)
        if short[symbol] != legs.short.get(symbol, NOTHING)
    )
    return OrderBatch((*batch.orders, *orders), batch.skipped)


def _legs(
    batch: OrderBatch,
    targets: TargetWeights,
    assessment: RiskAssessment,
    portfolio: Portfolio,
    spot: Instrument,
    column: int,
    price: Decimal,
    threshold: float,
) -> _Legs:
    held = portfolio.positions.get(spot.symbol)
    before = held.quantity if held else NOTHING
    traded = [order for order in batch.orders if order.symbol == spot.symbol]
    after = before + sum((o.quantity if o.side is Side.BUY else -o.quantity for o in traded), NOTHING)
    short = {symbol: -position.quantity for symbol, position in portfolio.perpetuals.items()}
    unit = float(portfolio.nav / price)
    hedges = targets.hedges
    mine, present = sum(hedges.values()), float(portfolio.hedged) / unit
    others = max(float(targets.wanted[column]) - mine, 0.0)
    approved = float(assessment.weights[column])
    share = approved_share(approved, mine, others, present, max(float(before) / unit - present, 0.0))
    scale = share / mine if mine > 0 else 0.0
    targets_of = {symbol: whole_lots(_units(weight * scale, unit), spot.lot_size) for symbol, weight in hedges.items()}
    if not traded and mine > 0 and _moved(targets_of, short) < _units(threshold, unit):
        targets_of = short
    return _Legs(
        before,
        after,
        short,
        targets_of,
        whole_lots(_units(max(approved - share, 0.0), unit), spot.lot_size) if approved - share > DUST else NOTHING,
        not bool(assessment.may_increase[column]),
    )


def approved_share(approved: float, mine: float, others: float, hedged: float, unhedged: float) -> float:
    """Part of the approved weight that belongs to the hedging sleeve.

    What both hold already and still want comes first; of the rest each gets in proportion to what it wants more.

    Parameters
    ----------
    mine, others
        Weights wanted with and without a hedge.
    hedged, unhedged
        Weights held with and without one.
    """
    if approved >= mine + others:
        return mine
    base, other_base = min(mine, hedged), min(others, unhedged)
    left = approved - base - other_base
    if left < 0:
        return base * approved / (base + other_base)
    more, other_more = mine - base, others - other_base
    return base + (left * more / (more + other_more) if more + other_more > 0 else 0.0)


def _units(weight: float, unit: float) -> Decimal:
    return Decimal(repr(weight * unit))


def _moved(target: Mapping[str, Decimal], short: Mapping[str, Decimal]) -> Decimal:
    """Largest change of one venue's short; leaving a venue altogether always counts as large."""
    if any(short.get(symbol) and not target.get(symbol) for symbol in short):
        return Decimal("Infinity")
    return max((abs(units - short.get(symbol, NOTHING)) for symbol, units in target.items()), default=NOTHING)


def _short_after(legs: _Legs, lot: Decimal) -> Decimal:
    """Units short in all once the orders are filled."""
    now, target = sum(legs.short.values(), NOTHING), sum(legs.wanted.values(), NOTHING)
    low, high = min(now, target), max(now, target)
    # Weights and lots round differently: one lot more makes both legs equal.
    short = min(max(legs.after - legs.unhedged, low), high + lot if target > now else high)
    if legs.frozen:
        short = max(short, now + legs.after - legs.before)
    return max(min(short, legs.after), NOTHING)


def _by_venue(legs: _Legs, total: Decimal, lot: Decimal) -> dict[str, Decimal]:
    """Split the short among the venues, moving from the current split to the target."""
    symbols = sorted(legs.short.keys() | legs.wanted.keys())
    now = {symbol: legs.short.get(symbol, NOTHING) for symbol in symbols}
    targets = {symbol: legs.wanted.get(symbol, NOTHING) for symbol in symbols}
    start, end = sum(now.values(), NOTHING), sum(targets.values(), NOTHING)
    if start == end:
        split = dict(targets)
    else:
        way = min(max((total - start) / (end - start), NOTHING), Decimal(1))
        split = {symbol: whole_lots(now[symbol] + (targets[symbol] - now[symbol]) * way, lot) for symbol in symbols}
    present = sum(split.values(), NOTHING)
    if present > total:
        split = {symbol: whole_lots(units * total / present, lot) for symbol, units in split.items()}
    rest = total - sum(split.values(), NOTHING)
    # Lots left by rounding go to the venue whose short grows or is largest, so that no other venue is opened.
    largest = max(symbols, key=lambda symbol: (targets[symbol], now[symbol], symbol), default=None)
    if largest is not None and rest > 0:
        split[largest] += rest
    return split


def _order(
    symbol: str,
    change: Decimal,
    view: MarketView,
    portfolio: Portfolio,
    contract: PerpetualContract,
    book: str,
    price: Decimal,
    risk: bool,
) -> Order:
    side = Side.SELL if change > 0 else Side.BUY
    quantity = abs(change)
    verb = "sold short against" if side is Side.SELL else "bought back with"
    return Order(
        client_order_id=client_order_id(book, view.session, symbol, side),
        book=book,
        session=view.session,
        symbol=symbol,
        side=side,
        quantity=quantity,
        expected_price=price,
        estimated_commission=to_cent(quantity * price * contract.commission_rate),
        weight_change=-float(change * price / portfolio.nav),
        purpose=OrderPurpose.RISK if risk and side is Side.BUY else OrderPurpose.REBALANCE,
        reason=f"hedge: {quantity} {verb} the spot leg in {contract.spot}",
    )

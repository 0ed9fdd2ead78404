"""Reconciliation: positions and cash rebuilt from the fills alone, compared with the stored portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from trading_lib.accounting.perpetuals import funding_payment
from trading_lib.domain.book.flows import Flow, net_of
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.market.funding import Settlement
from trading_lib.domain.market.perpetuals import is_perpetual

Split = tuple[date, str, Decimal]


def unexplained_differences(
    portfolio: Portfolio,
    initial_cash: Decimal,
    fills: Sequence[Fill],
    splits: Sequence[Split] = (),
    settlements: Sequence[Settlement] = (),
    proceeds: Sequence[Proceeds] = (),
    flows: Sequence[Flow] = (),
) -> list[str]:
    """Differences between the portfolio and its fills, one line each; empty when they agree.

    Parameters
    ----------
    fills
        Every execution of the book up to the portfolio's session.
    splits
        (session, symbol, new shares per old share) since the book was opened. A split of a held position pays
        out fractions of a lot in cash, which fills cannot show: its symbol and the cash are then not compared.
    settlements
        Funding since the book was opened, of every venue.
    proceeds
        Recorded for the book up to the portfolio's session; each closes what the fills before it left.
    flows
        Capital that came to the book, left it or moved within it up to the portfolio's session.
    """
    quantities, cash, split_held = _rebuild(fills, splits, proceeds)
    # A perpetual moves no money when it is opened: what its fills would have moved is the entry value still open.
    cash += sum((position.entry_value for position in portfolio.perpetuals.values()), Decimal(0))
    cash += initial_cash + portfolio.dividends + portfolio.funding + net_of(flows)
    differences = []
    held = {s: p.quantity for s, p in portfolio.positions.items()}
    held |= {s: p.quantity for s, p in portfolio.perpetuals.items()}
    for symbol in sorted(held.keys() | quantities.keys()):
        stored = held.get(symbol, Decimal(0))
        counted = quantities.get(symbol, Decimal(0))
        if stored != counted and symbol not in split_held:
            differences.append(f"{symbol}: {stored} stored, {counted} from fills")
    if cash != portfolio.cash and not split_held:
        differences.append(f"cash: {portfolio.cash} stored, {cash} from fills{' and flows' if flows else ''}")
    shared = sum(portfolio.accounts.values(), Decimal(0))
    if portfolio.accounts and shared != portfolio.cash:
        differences.append(f"cash: {portfolio.cash} stored, {shared} in its accounts")
    funding = _funding(fills, settlements)
    if funding != portfolio.funding:
        differences.append(f"funding: {portfolio.funding} stored, {funding} from fills and rates")
    return differences


def _rebuild(
    fills: Sequence[Fill], splits: Sequence[Split], proceeds: Sequence[Proceeds]
) -> tuple[dict[str, Decimal], Decimal, set[str]]:
    quantities: dict[str, Decimal] = {}
    cash, split_held = Decimal(0), set()
    pending = sorted(splits)
    # A session's proceeds are for what its fills have left.
    events: list[Fill | Proceeds] = [*fills, *proceeds]
    for event in sorted(events, key=lambda one: (one.session, isinstance(one, Proceeds))):
        while pending and pending[0][0] <= event.session:
            split_held |= _apply(pending.pop(0), quantities)
        if isinstance(event, Proceeds):
            cash += to_cent(quantities.pop(event.symbol, Decimal(0)) * event.amount_per_share)
            continue
        sign = 1 if event.side is Side.BUY else -1
        quantities[event.symbol] = quantities.get(event.symbol, Decimal(0)) + sign * event.quantity
        # Books are kept in cents; a broker's fee may have more decimals.
        cash -= sign * to_cent(event.quantity * event.price) + to_cent(event.commission)
    for split in pending:
        split_held |= _apply(split, quantities)
    return quantities, cash, split_held


def _funding(fills: Sequence[Fill], settlements: Sequence[Settlement]) -> Decimal:
    """Add up what each settlement paid on the units that were filled before it."""
    paid = Decimal(0)
    legs = [fill for fill in fills if is_perpetual(fill.symbol)]
    for settlement in settlements if legs else ():
        open_then = (f for f in legs if f.symbol == settlement.symbol and f.filled_at < settlement.settled_at)
        signed = (fill.quantity if fill.side is Side.BUY else -fill.quantity for fill in open_then)
        paid += funding_payment(sum(signed, Decimal(0)), settlement)
    return paid


def _apply(split: Split, quantities: dict[str, Decimal]) -> set[str]:
    _, symbol, ratio = split
    if not quantities.get(symbol):
        return set()
    quantities[symbol] *= ratio
    return {symbol}

"""An `Evening` in arrays and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading_lib.backtest.session_loop.book import ASSET, BUYING, NAV, QUANTITY, WORKING, Book
from trading_lib.backtest.session_loop.inputs import form_of
from trading_lib.domain.holdings import with_holdings, write_holdings
from trading_lib.domain.instruments import Universe
from trading_lib.domain.money import from_cents, from_micros, to_cents, to_micros
from trading_lib.domain.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import BoolArray
from trading_lib.domain.risk import RiskState
from trading_lib.domain.sleeves import SleeveRecord, SleeveTarget
from trading_lib.risk.memory import REGIME_LABELS, remembered, write_memory
from trading_lib.risk.numbers import CALM, EFFECTIVE, FLOOR, LEVEL, PEAK, REFERENCE, REGIME
from trading_lib.risk.pair_rules import named_pairs
from trading_lib.session.step import Evening
from trading_lib.strategies.registry import Sleeve


def fits(evening: Evening, universe: Universe, sleeves: tuple[Sleeve, ...]) -> bool:
    """Whether the loop can go on from here; see what it leaves to others."""
    risk, portfolio = evening.risk, evening.portfolio
    quiet = max(risk.level, risk.effective_level) < 3 and risk.recovery_sessions is None
    nobody_asked = not (risk.approved or risk.awaiting_approval or risk.question)
    traded = {*portfolio.positions, *(order.symbol for order in evening.working)}
    known = traded <= universe.positions.keys() and len(evening.working) <= len(universe)
    decided = all(sleeve.name in evening.sleeves for sleeve in sleeves)
    return quiet and nobody_asked and known and decided and not portfolio.perpetuals


def load(evening: Evening, book: Book, universe: Universe, sleeves: tuple[Sleeve, ...]) -> None:
    """Write an evening that `fits` into ``book``."""
    portfolio, risk, at = evening.portfolio, evening.risk, universe.positions
    write_holdings(portfolio, at, book.holdings)
    write_memory(risk, universe, book.risk)
    book.counters[NAV], book.counters[WORKING] = to_cents(portfolio.nav), len(evening.working)
    for number, order in enumerate(evening.working):
        book.working[number] = at[order.symbol], order.side is Side.BUY, to_micros(order.quantity)
    for k, sleeve in enumerate(sleeves):
        record = evening.sleeves[sleeve.name]
        book.owned[k], book.targets[k] = record.held, record.target.weights
        names = form_of(sleeve).remembers(universe)
        book.memory[k, : len(names)] = [record.target.memory.get(name, 0.0) for name in names]


def unload(
    book: Book,
    day: date,
    name: str,
    universe: Universe,
    sleeves: tuple[Sleeve, ...],
    pairs: BoolArray,
    retired: frozenset[str],
    before: Portfolio | None = None,
) -> Evening:
    """Return the evening of ``day`` that ``book`` holds; its orders know what execution asks them, and no reasons.

    Parameters
    ----------
    pairs
        The closely correlated ones of ``day``, see `Stretch.pairs`: they depend on no book, so none holds them.
    retired
        Symbols that are retired in that session, which no book needs to remember.
    before
        An earlier portfolio, for what came and went of capital, which the loop does not look at; None where nobody
        asks.
    """
    counters, symbols = book.counters.tolist(), universe.symbols
    nav = from_cents(counters[NAV])
    portfolio = with_holdings(Portfolio(day, nav, nav), book.holdings, symbols)
    if before is not None:
        portfolio = replace(
            portfolio,
            deposits=before.deposits,
            withdrawals=before.withdrawals,
            capital_factor=before.capital_factor,
        )
    kept = remembered(book.risk, universe)
    risk = RiskState(
        session=day,
        level=counters[LEVEL],
        effective_level=counters[EFFECTIVE],
        peak=float(book.peaks[PEAK]),
        reference_peak=float(book.peaks[REFERENCE]),
        calm_sessions=counters[CALM],
        ceilings=kept.ceilings,
        halved=kept.halved,
        cooling_off=kept.cooling_off,
        stop_state=kept.stop_state,
        floor=counters[FLOOR],
        regime=REGIME_LABELS[counters[REGIME]],
        correlated=named_pairs(pairs, symbols),
        retired=retired,
    )
    working = tuple(_order(one, symbols, day, name) for one in book.working[: counters[WORKING]].tolist())
    records = {sleeve.name: _record(book, k, sleeve, universe) for k, sleeve in enumerate(sleeves)}
    return Evening(portfolio, risk, working, records)


def _order(working: list[int], symbols: tuple[str, ...], day: date, book: str) -> Order:
    symbol, side = symbols[working[ASSET]], Side.BUY if working[BUYING] else Side.SELL
    quantity, nothing = from_micros(working[QUANTITY]), Decimal(0)
    identity = client_order_id(book, day, symbol, side)
    return Order(identity, book, day, symbol, side, quantity, nothing, nothing, 0.0, OrderPurpose.REBALANCE, "")


def _record(book: Book, k: int, sleeve: Sleeve, universe: Universe) -> SleeveRecord:
    names = form_of(sleeve).remembers(universe)
    memory = dict(zip(names, book.memory[k, : len(names)].tolist(), strict=True))
    target = SleeveTarget(book.targets[k].copy(), memory=memory)
    return SleeveRecord(target, book.owned[k].copy(), sleeve.budget)

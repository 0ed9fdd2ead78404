"""Converts the state between two sessions from objects to arrays and back: the only place that does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from trading_lib.backtest.compiled.book import ASSET, BUYING, NAV, QUANTITY, WORKING, Book
from trading_lib.backtest.compiled.inputs import form_of
from trading_lib.domain.book.holdings import with_holdings, write_holdings
from trading_lib.domain.book.orders import Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.decision.sleeves import SleeveRecord, SleeveTarget
from trading_lib.domain.market.prices import BoolArray
from trading_lib.domain.money import from_cents, from_micros, to_cents, to_micros
from trading_lib.risk.limits.pair_rules import named_pairs
from trading_lib.risk.limits.retirement import retired_symbols
from trading_lib.risk.memory import REGIME_LABELS, remembered, write_memory
from trading_lib.risk.numbers import CALM, EFFECTIVE, FLOOR, LEVEL, PEAK, REFERENCE, REGIME
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import EndOfDay
from trading_lib.strategies.registry import Sleeve, running_sleeves


@dataclass(frozen=True, slots=True)
class Conversion:
    """Converts the books of a run between objects and arrays.

    Attributes
    ----------
    sleeves
        Those that run, in the order of the arrays.
    """

    data: SessionInput
    sleeves: tuple[Sleeve, ...]

    @classmethod
    def of(cls, data: SessionInput) -> Conversion:
        """Return the conversion of a run."""
        return cls(data, running_sleeves(data.config.strategy))

    def fits(self, end_of_day: EndOfDay) -> bool:
        """Whether the loop can continue from this state; see what it leaves to the slow path."""
        risk, portfolio, universe = end_of_day.risk, end_of_day.portfolio, self.data.universe
        quiet = max(risk.level, risk.effective_level) < 3 and risk.recovery_sessions is None
        nobody_asked = not (risk.approved or risk.awaiting_approval or risk.question)
        traded = {*portfolio.positions, *(order.symbol for order in end_of_day.working)}
        fits_arrays = traded <= universe.positions.keys() and len(end_of_day.working) <= len(universe)
        decided = all(sleeve.name in end_of_day.sleeves for sleeve in self.sleeves)
        return quiet and nobody_asked and fits_arrays and decided and not portfolio.perpetuals

    def write(self, end_of_day: EndOfDay, book: Book) -> None:
        """Write an end of day that `fits` into ``book``."""
        portfolio, risk, at = end_of_day.portfolio, end_of_day.risk, self.data.universe.positions
        write_holdings(portfolio, at, book.holdings)
        write_memory(risk, self.data.universe, book.risk)
        book.counters[NAV], book.counters[WORKING] = to_cents(portfolio.nav), len(end_of_day.working)
        for number, order in enumerate(end_of_day.working):
            book.working[number] = at[order.symbol], order.side is Side.BUY, to_micros(order.quantity)
        for k, sleeve in enumerate(self.sleeves):
            record = end_of_day.sleeves[sleeve.name]
            book.owned[k], book.targets[k] = record.held, record.target.weights
            names = form_of(sleeve).remembers(self.data.universe)
            book.memory[k, : len(names)] = [record.target.memory.get(name, 0.0) for name in names]

    def read(self, book: Book, row: int, pairs: BoolArray, before: Portfolio | None = None) -> EndOfDay:
        """Return the state of a row as objects; its orders carry what execution reads, without reasons.

        Parameters
        ----------
        pairs
            The closely correlated ones of that session, see `Segment.pairs`: they depend on no book.
        before
            An earlier portfolio, for what came and went of capital, which the loop does not look at; None where nobody
            asks.
        """
        data, counters, symbols = self.data, book.counters.tolist(), self.data.universe.symbols
        day: date = data.panel.sessions[row].item()
        nav = from_cents(counters[NAV])
        last = replace(before, session=day, nav=nav) if before else Portfolio(day, nav, nav)
        kept = remembered(book.risk, data.universe)
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
            retired=retired_symbols(data.panel.price_age[row], data.universe, data.config.risk),
        )
        working = tuple(_order(entry, symbols, day, data.book) for entry in book.working[: counters[WORKING]].tolist())
        records = {sleeve.name: self._record(book, k, sleeve) for k, sleeve in enumerate(self.sleeves)}
        return EndOfDay(with_holdings(last, book.holdings, symbols), risk, working, records)

    def _record(self, book: Book, k: int, sleeve: Sleeve) -> SleeveRecord:
        names = form_of(sleeve).remembers(self.data.universe)
        memory = dict(zip(names, book.memory[k, : len(names)].tolist(), strict=True))
        target = SleeveTarget(book.targets[k].copy(), memory=memory)
        return SleeveRecord(target, book.owned[k].copy(), sleeve.budget)


def _order(working: list[int], symbols: tuple[str, ...], day: date, book: str) -> Order:
    symbol, side = symbols[working[ASSET]], Side.BUY if working[BUYING] else Side.SELL
    quantity, nothing = from_micros(working[QUANTITY]), Decimal(0)
    identity = client_order_id(book, day, symbol, side)
    return Order(identity, book, day, symbol, side, quantity, nothing, nothing, 0.0, OrderPurpose.REBALANCE, "")

"""Instruments and the universe: what may be held, with caps, stops, lots and costs as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

import numpy as np

from trading_lib.domain.errors import UnknownSymbolError, one_of
from trading_lib.domain.market.perpetuals import PerpetualContract, is_perpetual
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.money import to_micros


class AssetClass(StrEnum):
    """Routing and cost class of an instrument (docs/specification.md#universe)."""

    US_ETF = "US_ETF"
    CRYPTO = "CRYPTO"


class TradingCalendar(StrEnum):
    """When an instrument trades."""

    XNYS = "XNYS"
    ALWAYS = "24/7"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable asset.

    Attributes
    ----------
    max_weight
        Largest share of net asset value, as a fraction.
    volatility_target
        Annualised volatility the trend sleeve sizes the asset to, as a fraction.
    stop_reduce, stop_exit
        Losses from average cost (fractions) that halve and that close the position. ``stop_reduce`` is None
        where only the exit applies, as for Bitcoin (docs/specification.md#asset-stops).
    lot_size
        Smallest tradable quantity.
    commission_rate, slippage_rate
        Fractions of traded notional (docs/specification.md#costs).
    safe_haven
        Whether it may still be bought at risk level 3.
    inception
        First day it had a price; before that it is absent, never filled in. None when its sources begin later anyway.
    retired
        Whether it has left the universe: it is no longer bought, and what is held of it is closed.
    """

    symbol: str
    name: str
    asset_class: AssetClass
    category: str
    calendar: TradingCalendar
    max_weight: float
    volatility_target: float
    stop_reduce: float | None
    stop_exit: float
    lot_size: Decimal
    commission_rate: Decimal
    slippage_rate: Decimal
    safe_haven: bool = False
    inception: date | None = None
    retired: bool = False


@dataclass(frozen=True)
class Universe:
    """The ordered instruments; every array of this project uses this order for its asset axis.

    The array properties have shape (n,) in that order and are computed once.

    Attributes
    ----------
    perpetuals
        The future that one of the instruments may be hedged with; it is not on the asset axis.
    accounts
        Asset class -> name of the account that trades it; empty where one account trades all.
    """

    instruments: tuple[Instrument, ...]
    perpetuals: PerpetualContract | None = None
    accounts: Mapping[AssetClass, str] = field(default_factory=dict, hash=False)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self.instruments)

    def __len__(self) -> int:
        return len(self.instruments)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Symbols in universe order."""
        return tuple(instrument.symbol for instrument in self.instruments)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Symbol -> index on the asset axis."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    @cached_property
    def max_weights(self) -> FloatArray:
        """Largest weight of each asset, 0 once it is retired."""
        return np.array([0.0 if i.retired else i.max_weight for i in self.instruments])

    @cached_property
    def retired(self) -> BoolArray:
        """Whether each asset has left the universe."""
        return np.array([i.retired for i in self.instruments], dtype=np.bool_)

    @cached_property
    def everything(self) -> BoolArray:
        """True for every asset."""
        return np.ones(len(self), dtype=np.bool_)

    @cached_property
    def nothing(self) -> BoolArray:
        """False for every asset."""
        return np.zeros(len(self), dtype=np.bool_)

    @cached_property
    def any_retired(self) -> bool:
        """Whether any asset has left the universe."""
        return bool(self.retired.any())

    @cached_property
    def volatility_targets(self) -> FloatArray:
        """Annualised volatility target of each asset."""
        return np.array([i.volatility_target for i in self.instruments])

    @cached_property
    def safe_havens(self) -> BoolArray:
        """Whether each asset may be bought at risk level 3."""
        return np.array([i.safe_haven for i in self.instruments], dtype=np.bool_)

    @cached_property
    def crypto(self) -> BoolArray:
        """Whether each asset is crypto, which risk levels 1 and 2 treat differently."""
        return np.array([i.asset_class is AssetClass.CRYPTO for i in self.instruments], dtype=np.bool_)

    @cached_property
    def periods_per_year(self) -> FloatArray:
        """Bars of each asset in a year: 252 exchange sessions, or 365 days for what trades always."""
        return np.array([365.0 if i.calendar is TradingCalendar.ALWAYS else 252.0 for i in self.instruments])

    @cached_property
    def cost_rates(self) -> FloatArray:
        """Commission and slippage of each asset, as a fraction of traded notional."""
        return np.array([float(i.commission_rate + i.slippage_rate) for i in self.instruments])

    @cached_property
    def lots(self) -> IntegerArray:
        """Lot size of each asset, in millionths of a unit."""
        return np.array([to_micros(i.lot_size) for i in self.instruments], np.int64)

    @cached_property
    def commissions(self) -> IntegerArray:
        """Commission of each asset, in millionths of traded notional."""
        return np.array([to_micros(i.commission_rate) for i in self.instruments], np.int64)

    @cached_property
    def slippages(self) -> IntegerArray:
        """Slippage of each asset, in millionths of traded notional."""
        return np.array([to_micros(i.slippage_rate) for i in self.instruments], np.int64)

    @cached_property
    def account_names(self) -> tuple[str, ...]:
        """Accounts in the order of `account_numbers`; empty where one account trades all."""
        return tuple(dict.fromkeys(self.accounts.values()))

    def account_of(self, symbol: str) -> str:
        """Name of the account that trades a symbol, "" where one account trades all."""
        return self.accounts[self.traded(symbol)[0].asset_class] if self.accounts else ""

    @cached_property
    def account_numbers(self) -> IntegerArray:
        """Number of the account that trades each asset, 0 for all where there is one."""
        names = self.account_names
        return np.array([names.index(self.accounts[i.asset_class]) if names else 0 for i in self.instruments], np.int64)

    @cached_property
    def stops(self) -> FloatArray:
        """Shape (n, 2): losses from average cost that halve and that close a position; +inf where none halves it."""
        never = float("inf")
        return np.array([(never if i.stop_reduce is None else i.stop_reduce, i.stop_exit) for i in self.instruments])

    def __getitem__(self, symbol: str) -> Instrument:
        position = self.positions.get(symbol)
        if position is None:
            raise UnknownSymbolError(f"symbol {symbol!r} is not in the universe", one_of(symbol, self.symbols))
        return self.instruments[position]

    def traded(self, symbol: str) -> tuple[Instrument, int]:
        """Return what an order for ``symbol`` trades, and the place on the asset axis where its prices are.

        A perpetual trades like its spot asset, with costs of its own.
        """
        if not is_perpetual(symbol):
            return self[symbol], self.positions.get(symbol, -1)
        contract = self.perpetuals
        if contract is None or not contract.covers(symbol) or contract.spot not in self.positions:
            raise UnknownSymbolError(f"perpetual {symbol!r} is not configured", "set carry in strategy.yaml")
        slippage = contract.slippage_rate + contract.basis_cost
        spot = self[contract.spot]
        leg = replace(spot, symbol=symbol, commission_rate=contract.commission_rate, slippage_rate=slippage)
        return leg, self.positions[contract.spot]

    def require_known(self, symbols: Iterable[str], book: str) -> None:
        """Raise `UnknownSymbolError` for an asset that a book refers to and the universe no longer has."""
        contract = self.perpetuals
        missing = sorted(
            symbol
            for symbol in set(symbols) - self.positions.keys()
            if contract is None or contract.spot not in self.positions or not contract.covers(symbol)
        )
        if missing:
            raise UnknownSymbolError(
                f"{book} holds or trades {', '.join(missing)}, which the universe no longer lists",
                "put it back into universe.yaml with `retired: true`; it is then sold, and may be deleted afterwards",
            )

    def select(self, symbols: tuple[str, ...]) -> Universe:
        """Return the universe restricted to ``symbols``, in universe order; unknown symbols are an error."""
        selected = {self[symbol].symbol for symbol in symbols}
        return replace(self, instruments=tuple(i for i in self.instruments if i.symbol in selected))

"""The account's markets: which pair trades an instrument, and what its filters allow.

Input: instruments, Binance's definitions. Output: pairs with their filters, as decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError, amount, items, text
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.market.instruments import AssetClass, Instrument

QUOTE = "USDT"
# How the universe names a coin against the dollar.
SUFFIX = "-USD"
NEVER = Decimal(0)


@dataclass(frozen=True, slots=True)
class Pair:
    """A market of the account.

    Attributes
    ----------
    symbol, name
        As the universe calls the asset, and as Binance calls the market.
    base
        The coin.
    commission_rate
        Of the universe: the part of the notional that a fee is taken to be where it cannot be valued.
    """

    symbol: str
    name: str
    base: str
    commission_rate: Decimal


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of an amount and the step it must be a multiple of; 0 where there is none."""

    lowest: Decimal = NEVER
    highest: Decimal = NEVER
    step: Decimal = NEVER

    def problem(self, value: Decimal, what: str) -> str:
        """Return what is wrong with a value, or ""."""
        if self.lowest and value < self.lowest:
            return f"{what} {value:f} is below the least one, {self.lowest.normalize():f}"
        if self.highest and value > self.highest:
            return f"{what} {value:f} is above the largest one, {self.highest.normalize():f}"
        if self.step and value % self.step:
            return f"{what} {value:f} is no multiple of {self.step.normalize():f}"
        return ""


@dataclass(frozen=True, slots=True)
class Market:
    """What Binance says of a pair.

    Attributes
    ----------
    lot, market_lot, price
        Ranges of quantities and prices; market orders keep to both of the quantity's.
    least, most
        Notional, 0 where there is none; ``least_at_market`` and ``most_at_market`` say whether they bind market orders.
    fields
        Names of the answer's fields.
    """

    name: str
    status: str
    spot_allowed: bool
    order_types: frozenset[str]
    permissions: frozenset[str]
    lot: Range
    market_lot: Range
    price: Range
    least: Decimal
    least_at_market: bool
    most: Decimal
    most_at_market: bool
    fields: frozenset[str] = frozenset()


def pairs_of(instruments: Iterable[Instrument]) -> tuple[Pair, ...]:
    """Return the pairs that trade the coins among ``instruments``, by name.

    Raises
    ------
    ConfigurationError
        When there is no coin, or one that is not named like BTC-USD.
    """
    found = []
    for instrument in instruments:
        if instrument.asset_class is not AssetClass.CRYPTO:
            continue
        base = instrument.symbol.removesuffix(SUFFIX)
        if base == instrument.symbol or not base.isascii() or not base.isalnum() or base != base.upper():
            raise ConfigurationError(
                f"broker binance does not know which pair trades {instrument.symbol}",
                f"name coins in universe.yaml like BTC{SUFFIX}, which is traded as BTC/{QUOTE}",
            )
        found.append(Pair(instrument.symbol, base + QUOTE, base, instrument.commission_rate))
    if not found:
        raise ConfigurationError("the account at binance trades nothing", "list CRYPTO in its asset_classes")
    return tuple(sorted(found, key=lambda pair: pair.name))


def markets_from(content: Any) -> Mapping[str, Market]:
    """Return the markets of `exchangeInfo` by name; raises `UnreadableError`."""
    if not isinstance(content, dict):
        raise UnreadableError("is no object")
    return {market.name: market for market in map(_market, items(content.get("symbols")))}


def _market(record: Mapping[str, Any]) -> Market:
    filters = {text(each, "filterType"): each for each in items(record.get("filters"))}
    notional = filters.get("NOTIONAL", {})
    older = filters.get("MIN_NOTIONAL", {})
    permissions = {str(name) for group in record.get("permissionSets") or [] for name in group}
    return Market(
        name=text(record, "symbol"),
        status=text(record, "status"),
        spot_allowed=record.get("isSpotTradingAllowed") is True,
        order_types=frozenset(map(str, record.get("orderTypes") or [])),
        permissions=frozenset(permissions or map(str, record.get("permissions") or [])),
        lot=_range(filters.get("LOT_SIZE", {}), "minQty", "maxQty", "stepSize"),
        market_lot=_range(filters.get("MARKET_LOT_SIZE", {}), "minQty", "maxQty", "stepSize"),
        price=_range(filters.get("PRICE_FILTER", {}), "minPrice", "maxPrice", "tickSize"),
        least=max(_optional(notional, "minNotional"), _optional(older, "minNotional")),
        least_at_market=bool(notional.get("applyMinToMarket") or older.get("applyToMarket")),
        most=_optional(notional, "maxNotional"),
        most_at_market=bool(notional.get("applyMaxToMarket")),
        fields=frozenset(record),
    )


def _range(record: Mapping[str, Any], lowest: str, highest: str, step: str) -> Range:
    return Range(*(_optional(record, name) for name in (lowest, highest, step)))


def _optional(record: Mapping[str, Any], name: str) -> Decimal:
    return amount(record, name) if name in record else NEVER

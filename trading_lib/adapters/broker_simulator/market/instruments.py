"""What the simulated brokers trade. Ids, increments and attributes are of the brokers' shapes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Asset:
    """A share or fund at Alpaca.

    Attributes
    ----------
    partnership
        Whether it is a publicly traded partnership that only accounts with the exception entry may buy.
    """

    symbol: str
    name: str
    exchange: str = "ARCA"
    tradable: bool = True
    fractionable: bool = True
    shortable: bool = True
    partnership: bool = False

    @property
    def id(self) -> str:
        """Alpaca's id of it."""
        return str(uuid5(NAMESPACE_URL, f"alpaca-asset/{self.symbol}"))


@dataclass(frozen=True)
class Pair:
    """A spot pair at Binance.

    Attributes
    ----------
    step, tick
        Increments of quantity and price.
    least, most
        Quantities of one order.
    least_value
        Smallest value of one order in the quote coin.
    """

    base: str
    quote: str
    step: Decimal
    tick: Decimal
    least: Decimal
    most: Decimal
    least_value: Decimal = Decimal(5)
    trading: bool = True

    @property
    def symbol(self) -> str:
        """Binance's symbol of it."""
        return f"{self.base}{self.quote}"


FUNDS: tuple[Asset, ...] = (
    Asset("GLD", "SPDR Gold Shares"),
    Asset("SPY", "SPDR S&P 500 ETF Trust"),
    Asset("QQQ", "Invesco QQQ Trust", "NASDAQ"),
    Asset("SLV", "iShares Silver Trust"),
    Asset("XLK", "Technology Select Sector SPDR Fund"),
    Asset("XLF", "Financial Select Sector SPDR Fund"),
    Asset("XLE", "Energy Select Sector SPDR Fund"),
    Asset("XLV", "Health Care Select Sector SPDR Fund"),
    Asset("TLT", "iShares 20+ Year Treasury Bond ETF", "NASDAQ"),
    Asset("TIP", "iShares TIPS Bond ETF"),
    Asset("EFA", "iShares MSCI EAFE ETF"),
    Asset("EEM", "iShares MSCI Emerging Markets ETF"),
    Asset("DBC", "Invesco DB Commodity Index Tracking Fund", fractionable=False, partnership=True),
    Asset("VNQ", "Vanguard Real Estate ETF"),
    Asset("IWM", "iShares Russell 2000 ETF"),
    Asset("AAPL", "Apple Inc. Common Stock", "NASDAQ"),
    Asset("MSFT", "Microsoft Corporation Common Stock", "NASDAQ"),
)
PAIRS: tuple[Pair, ...] = tuple(
    Pair(base, quote, Decimal(step), CENT, Decimal(step), Decimal(9000))
    for base, quote, step in (
        ("BTC", "USDT", "0.00001"),
        ("BTC", "USDC", "0.00001"),
        ("ETH", "USDT", "0.0001"),
        ("ETH", "USDC", "0.0001"),
        ("BNB", "USDT", "0.001"),
        ("USDC", "USDT", "1"),
    )
)
# Around which the seeded prices of a symbol move; others get one by their name.
USUAL_PRICES = {
    "GLD": 380.0,
    "SPY": 680.0,
    "QQQ": 610.0,
    "BTCUSDT": 91000.0,
    "BTCUSDC": 91000.0,
    "ETHUSDT": 3100.0,
    "ETHUSDC": 3100.0,
    "BNBUSDT": 880.0,
}
# Worth the same, until another price is set.
PEGGED = frozenset(("USDCUSDT",))

"""Configuration of accounts and of the paper broker."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from trading_lib.domain.book.accounts import CURRENCY, SIMULATED, Account, Endpoint
from trading_lib.domain.book.portfolio import ONLY_ACCOUNT
from trading_lib.domain.configuration import Configuration
from trading_lib.domain.market.instruments import AssetClass

# Those that come with the system; the registry of adapters says where each is.
BROKER_NAMES = (SIMULATED, "alpaca", "binance")


class PaperConfig(Configuration):
    """How the paper broker prices its fills."""

    price_decimals: int = Field(4, ge=2, le=6)

    @property
    def price_unit(self) -> int:
        """Smallest difference between two execution prices, in millionths of a dollar."""
        return int(10 ** (6 - self.price_decimals))


class AccountConfig(Configuration):
    """One account of execution.yaml; see `Account`."""

    name: str = Field(ONLY_ACCOUNT, min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    broker: str = Account().broker
    broker_account: str = ""
    currency: str = CURRENCY
    asset_classes: tuple[AssetClass, ...] = Field(tuple(AssetClass), min_length=1)
    share: Decimal = Field(Decimal(1), ge=0, le=1)
    endpoint: Endpoint | None = None
    as_usd: bool = False
    fallback: str = ""

    @property
    def account(self) -> Account:
        """The same as a value."""
        return Account(**dict(self))

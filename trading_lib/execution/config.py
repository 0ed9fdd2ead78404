"""Configuration of books, pre-trade checks and the paper broker."""

from __future__ import annotations

from pydantic import Field

from trading_lib.domain.configuration import Configuration


class PaperConfig(Configuration):
    """How the paper broker prices its fills."""

    price_decimals: int = Field(4, ge=2, le=6)

    @property
    def price_unit(self) -> int:
        """Smallest difference between two execution prices, in millionths of a dollar."""
        return int(10 ** (6 - self.price_decimals))

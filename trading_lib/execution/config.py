"""Configuration of books, pre-trade checks and the paper broker."""

from __future__ import annotations

from pydantic import Field

from trading_lib.domain.configuration import Configuration


class PaperConfig(Configuration):
    """How the paper broker prices its fills.

    Attributes
    ----------
    volume_share
        A fill of more than this share of its bar's volume is warned of in the report.
    """

    price_decimals: int = Field(4, ge=2, le=6)
    volume_share: float = Field(0.01, gt=0, le=1)

    @property
    def price_unit(self) -> int:
        """Smallest difference between two execution prices, in millionths of a dollar."""
        return int(10 ** (6 - self.price_decimals))

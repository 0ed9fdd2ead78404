"""Configuration of the portfolio constraints."""

from __future__ import annotations

from pydantic import Field

from trading_lib.domain.configuration import Configuration


class ConstraintConfig(Configuration):
    """Limits on target weights (docs/specification.md#portfolio-constraints); fractions of net asset value.

    Attributes
    ----------
    cash_buffer, max_leverage
        Weights add up to the smaller of ``1 - cash_buffer`` and ``max_leverage`` less what is sold short. As shipped
        (0.05 and 1.5) that is the first unless more than 0.55 is sold short; a ``max_leverage`` below 0.95 binds.
    """

    cash_buffer: float = Field(0.05, ge=0, lt=1)
    max_leverage: float = Field(1.5, gt=0)
    pair_correlation: float = Field(0.70, gt=0, le=1)
    correlation_window: int = Field(60, ge=20)

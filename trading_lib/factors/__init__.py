"""`PricePanel` -> `FactorPanel`: the nine factors and 12-1 momentum (docs/specification.md#factors)."""

"""Price factors: `PricePanel` -> `FactorPanel`, nine factors and 12-1 momentum (docs/specification.md#factors)."""

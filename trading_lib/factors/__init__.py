"""`PricePanel` -> `FactorPanel`: the nine factors of technical design 4.2."""

"""`MarketView` -> regime, signals and the target weights of each sleeve."""

"""Orders -> fills: the simulated execution that backtest and paper broker share."""

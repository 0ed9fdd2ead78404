"""Market values: instruments, the trading calendar, bars and panels, funding, and the view as of a session."""

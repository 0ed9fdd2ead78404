"""One session of a book: settle, decide, clear, trade. The backtest and the daily run both call it."""

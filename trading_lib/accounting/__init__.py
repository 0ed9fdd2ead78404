"""Bookkeeping of a portfolio: fills, corporate actions, flows and funding, closed trades, reconciliation."""

"""Stores of market data: bars, macro series, funding, reports and factors, with revisions and findings."""

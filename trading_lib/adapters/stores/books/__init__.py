"""Stores of a book: accounts, orders and fills, portfolios, risk states and decisions, approvals, flows."""

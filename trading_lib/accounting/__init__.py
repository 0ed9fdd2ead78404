"""Fills and corporate actions -> `Portfolio`. Money is Decimal throughout."""

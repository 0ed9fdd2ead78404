"""Approved weights - holdings -> orders, and the pre-trade checks every order must pass."""

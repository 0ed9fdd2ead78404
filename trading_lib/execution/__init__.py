"""Execution of orders: the interface to brokers, simulated fills at the opening, and reasons of cancellations."""

"""Stores of running the system: the outbox of alerts."""

"""Broker adapters behind the interface `trading_lib.execution.broker`: the simulated one, and users' own."""

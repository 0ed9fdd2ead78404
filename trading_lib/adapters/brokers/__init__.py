"""Brokers behind the door `trading_lib.execution.broker`: the simulated one, and users' own."""

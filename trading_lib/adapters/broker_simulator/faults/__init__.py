"""Faults of the simulated brokers: a script of what goes wrong when, or chances by seed."""

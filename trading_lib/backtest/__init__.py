"""Folds `decision.decide` over sessions with the simulated broker."""

"""Runs the decision core over past sessions: the engine, its compiled loop, audits, stress tests and screening."""

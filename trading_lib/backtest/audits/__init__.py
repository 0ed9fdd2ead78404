"""Lookahead, warm-up and net asset value, audited independently of the engine."""

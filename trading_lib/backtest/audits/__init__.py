"""Independent audits of a run: lookahead bias, warm-up, and net asset value recomputed by vectorbt."""

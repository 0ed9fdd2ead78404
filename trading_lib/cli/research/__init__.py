"""Commands of research: backtest, stress test, audits, sweeps and gates."""

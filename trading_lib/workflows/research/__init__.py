"""Backtests, stress tests, audits and gates, tracked in MLflow."""

"""Research workflows: backtests, stress tests, audits, gates and their export and tracking in MLflow."""

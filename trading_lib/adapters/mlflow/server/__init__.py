"""MLflow's server behind a login, with artifacts in one folder only."""

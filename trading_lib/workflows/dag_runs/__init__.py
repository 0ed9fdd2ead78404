"""Runs of the DAGs: their parameters, notes in Airflow's grid, latency, and backfills from the command line."""

"""Airflow's server, settings and REST interface."""

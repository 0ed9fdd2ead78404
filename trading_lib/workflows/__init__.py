"""Workflows: one function per Airflow task or command (load, call a pure stage, save). Own settings and the clock."""

"""Runs and trials in MLflow, and its server."""

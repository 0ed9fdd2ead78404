"""Stress tests: historical windows, bootstrap paths, synthetic declines."""

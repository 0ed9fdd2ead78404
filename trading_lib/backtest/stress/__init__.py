"""Stress tests: historical windows, bootstrap paths of crises, synthetic declines, and their report."""

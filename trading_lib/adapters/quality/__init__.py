"""Whole folders as input of validation, and Great Expectations suites with their data docs."""

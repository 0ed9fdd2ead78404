"""Stores in PostgreSQL: market data, books, and research results; the server is embedded by default.

Values go in frozen and come out frozen; writing the same thing twice changes nothing.
"""

"""Strategies from users' files: loading them, their time limit, what they do besides deciding, and processes apart."""

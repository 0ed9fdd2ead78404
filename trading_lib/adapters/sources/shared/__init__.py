"""Shared by sources: HTTP requests, row parsing, and windows of bars and positioning data."""

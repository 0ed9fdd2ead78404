"""Alerts: their sender, what commands show of them, and what sessions tell."""

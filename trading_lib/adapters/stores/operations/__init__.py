"""Stores of running the system: the outbox of alerts, records of backups and restore drills."""

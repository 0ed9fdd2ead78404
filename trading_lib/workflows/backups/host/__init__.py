"""A lost machine: its home restored from backups, with every book disarmed."""

"""Market data: fetched, checked, stored and read back as of an instant."""

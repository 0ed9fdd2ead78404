"""Files that the system reads and writes beside its database."""

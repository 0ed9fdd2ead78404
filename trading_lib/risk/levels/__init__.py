"""The four risk levels: entry, recovery, approval."""

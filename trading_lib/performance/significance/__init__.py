"""Whether a result is more than luck."""

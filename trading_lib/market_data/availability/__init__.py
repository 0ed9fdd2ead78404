"""When data are due and when they became known."""

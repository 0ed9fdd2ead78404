"""Rate limits, breakers and the guard around a source."""

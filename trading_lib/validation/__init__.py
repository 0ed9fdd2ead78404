"""Bars -> `ValidationReport` with accepted and quarantined bars. Pure: no clock, no I/O."""

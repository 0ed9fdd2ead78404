"""Instruments, calendars, prices and the view of a market as of a session."""

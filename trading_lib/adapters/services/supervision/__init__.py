"""Supervision of the stack's programs: start, restart, and what each does before it starts."""

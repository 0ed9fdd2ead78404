"""Structured logs: one JSON object a line, without secrets, in files that rotate under several processes."""

"""The tear sheet: one self-contained interactive page about a run."""

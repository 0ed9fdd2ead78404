"""The stages of a session as a list, and the typed values that pass between tasks."""

"""Model registry and experiment tracking."""

"""Training, registry, predictions and drift of models."""

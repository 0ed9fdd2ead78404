"""What becomes of a model: promotion, drift, retraining, retirement."""

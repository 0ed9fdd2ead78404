"""What registering a model takes: versions from a training, their certificates, the mirror in MLflow, what is told."""

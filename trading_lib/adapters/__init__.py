"""All input and output: data sources, brokers, stores, caches, logs, MLflow, user code and services."""

"""Settings and configuration of an installation: YAML files -> checked models, data source, code version."""

"""Operating an installation: bootstrap, demonstration, health checks, database upgrades, reading the log."""

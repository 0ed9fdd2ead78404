"""Commands about the installation: the stack, health, database, logs, bootstrap and demonstration."""

"""The stages that DAGs, command line and tests share, and what passes between their tasks."""

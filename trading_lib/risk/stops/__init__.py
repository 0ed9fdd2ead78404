"""Stop rules: a module per rule, and the step that applies them to all positions."""

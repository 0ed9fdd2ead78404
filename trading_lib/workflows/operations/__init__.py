"""Setting up and looking after an installation."""

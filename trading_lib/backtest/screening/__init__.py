"""A vectorised screen of many configurations."""

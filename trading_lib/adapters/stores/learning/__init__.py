"""Models, their aliases and predictions in PostgreSQL, and their native files."""

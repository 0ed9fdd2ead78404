"""The embedded PostgreSQL server: its programs, its operating system user, access rules and processes."""

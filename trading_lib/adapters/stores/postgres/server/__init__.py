"""What the embedded PostgreSQL is made of: its programs, the user who runs it, its doors and its processes."""

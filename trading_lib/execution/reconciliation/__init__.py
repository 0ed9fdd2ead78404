"""A broker's snapshot of an account against a book's own records: what differs, and what explains it. Pure."""

"""What sources answered before: memory, the database, and optionally Redis or S3."""

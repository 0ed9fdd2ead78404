"""Cache of source answers in tiers: memory, the database, optionally Redis or S3; and of assembled markets."""

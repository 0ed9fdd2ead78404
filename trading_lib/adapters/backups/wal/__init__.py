"""The write-ahead log outside its server: received, with base backups beside it, and a cluster built of both."""

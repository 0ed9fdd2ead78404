"""Backups: dumping and restoring databases, packing, encrypting, and the folders and buckets they are stored in."""

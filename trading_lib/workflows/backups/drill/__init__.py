"""The restore drill: backups restored elsewhere, and the last sessions decided again from them."""

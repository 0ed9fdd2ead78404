"""Backups: what a manifest says, how long each class is kept, and their configuration."""

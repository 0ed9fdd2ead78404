"""Backups: made, verified, listed, restored, removed by age, and tried every week."""

"""What sources have in common: HTTP, rows, windows."""

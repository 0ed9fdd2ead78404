"""The daily run of a book: settle, decide, clear, send."""

"""Commands about a book."""

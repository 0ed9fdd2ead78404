"""File formats of vendors: layouts, column and symbol names, dates, numbers, and size limits."""

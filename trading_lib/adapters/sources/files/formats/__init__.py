"""What vendors write into files: layouts, names of columns and symbols, dates, numbers, and how large a file may be."""

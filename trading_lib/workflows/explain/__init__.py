"""Why a book decided what it decided."""

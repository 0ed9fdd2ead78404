"""What a strategy of the user's own begins with."""

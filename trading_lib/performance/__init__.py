"""Net asset values and fills -> metrics and pictures."""

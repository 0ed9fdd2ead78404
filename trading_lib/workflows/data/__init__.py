"""Market data workflows: fetch, validate, store and read it back as of an instant."""

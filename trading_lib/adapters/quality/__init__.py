"""Reading whole folders for validation, and Great Expectations. The rules themselves stand in `validation`."""

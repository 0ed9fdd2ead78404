"""The trend sleeve."""

"""Bars, macro series, positioning and factors with their revisions and findings."""

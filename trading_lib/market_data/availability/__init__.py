"""Point-in-time knowledge: when bars, macro releases and reports become available, and which bars are due."""

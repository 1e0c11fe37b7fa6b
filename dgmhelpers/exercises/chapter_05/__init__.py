"""Checkers for chapter 05, Any order, any value."""

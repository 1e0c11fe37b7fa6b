"""Checkers for chapter 11, Change of variables."""

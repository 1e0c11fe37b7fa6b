"""Checkers for chapter 04, NADE and MADE."""

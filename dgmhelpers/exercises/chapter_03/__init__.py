"""Checkers for chapter 03, The chain rule."""

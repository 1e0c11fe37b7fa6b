"""Checkers for chapter 16, the minimax game."""

from dgmhelpers.exercises.chapter_16 import play, tables

__all__ = ["play", "tables"]

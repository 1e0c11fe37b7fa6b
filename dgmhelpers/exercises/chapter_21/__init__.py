"""Checkers for chapter 21, the minimax game."""

from dgmhelpers.exercises.chapter_21 import play, tables

__all__ = ["play", "tables"]

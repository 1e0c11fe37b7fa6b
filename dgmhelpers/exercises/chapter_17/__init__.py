"""Checkers for chapter 17, non-convergence and mode collapse."""

from dgmhelpers.exercises.chapter_17 import coverage, methods, steps

__all__ = ["coverage", "methods", "steps"]

"""Checkers for chapter 22, non-convergence and mode collapse."""

from dgmhelpers.exercises.chapter_22 import coverage, methods, steps

__all__ = ["coverage", "methods", "steps"]

"""Checkers for chapter 10, The ELBO: the bound's pieces, and the inference behind it."""

from dgmhelpers.exercises.chapter_10 import bound, inference

__all__ = ["bound", "inference"]

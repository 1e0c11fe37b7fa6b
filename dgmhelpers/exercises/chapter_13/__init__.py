"""Checkers for chapter 13, The ELBO: the bound's pieces, and the inference behind it."""

from dgmhelpers.exercises.chapter_13 import bound, inference

__all__ = ["bound", "inference"]

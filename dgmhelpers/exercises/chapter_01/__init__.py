"""Checkers for chapter 01, What is a generative model?"""

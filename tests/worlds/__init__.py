"""Tiny worlds that the tests build for themselves."""
